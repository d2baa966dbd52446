/** TLS and references to secrets, as every kind of connection writes them. */
import { fields, flag, hostName, secretName, text } from './fields.ts'
import { insecureTls } from './connection-rules.ts'

/** How TLS is spoken. What is absent is Node's default: the system's trusted authorities, the host's own name. */
export interface Tls {
  /** A file of trusted authorities (PEM). A relative path is looked for in the folder of secrets. */
  caFile?: string | undefined
  /** The same from a secret: its key `ca.crt`. Never together with `caFile`. */
  caSecretName?: string | undefined
  /** The name that the server's certificate must bear, and SNI. */
  servername?: string | undefined
  /** False: any certificate will do. Refused unless `insecure: true` stands beside it. */
  verify: boolean
  insecure: boolean
}

/** A secret by its name. Its keys: `username` and `password`, or `tls.crt` and `tls.key`. */
export interface SecretReference {
  secretName: string
}

export const tls = fields({
  caFile: text().optional(),
  caSecretName: secretName().optional(),
  servername: hostName().optional(),
  verify: flag().default(true),
  insecure: flag().default(false),
}).check(insecureTls)

export const secretReference = fields(
  { secretName: secretName() },
  'expected { secretName: ... }: the secret itself never stands in a document',
)
