import { runService } from '@millrace/host'
import { service } from './service.ts'

await runService(service)
