/** What must hold for any connection beyond the types of its fields. No message repeats a value: it may hold a secret. */
import { type Checked, tell } from './fields.ts'

/** Certificates are checked, unless the user says twice that they are not. */
export function insecureTls(
  checked: Checked<{ verify: boolean; insecure: boolean; caFile?: unknown; caSecretName?: unknown }>,
): void {
  const { verify, insecure, caFile, caSecretName } = checked.value
  if (!verify && !insecure) {
    const hint = 'trust an authority of your own with caFile, or add insecure: true'
    tell(checked, 'verify: false lets anybody pose as the server', { code: 'insecure', hint, path: ['verify'] })
  }
  if (verify && insecure) {
    tell(checked, 'insecure: true says nothing without verify: false', { code: 'no_effect', path: ['insecure'] })
  }
  if (caFile !== undefined && caSecretName !== undefined) {
    tell(checked, 'only one of caFile and caSecretName can be used', { code: 'exactly_one', path: ['caSecretName'] })
  }
}

/** Whether a host name or address is this machine itself. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/.test(host)

/** Whether a text can be a host's name or an address. */
export const isHost = (host: string): boolean =>
  /^\[[0-9a-fA-F:.]{2,45}\]$/.test(host) || /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(host)
