export type { Header, Record, RecordView } from './record.ts'
