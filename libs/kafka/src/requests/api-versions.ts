import { apis, type Request } from './request.ts'

/** The versions of each API that a broker speaks, by API key. */
export type BrokerVersions = { [apiKey: number]: { minVersion: number; maxVersion: number } }

/** Asks for the broker's versions: the one request that is understood before anything else is known. */
export const apiVersions: Request<{ error: number; versions: BrokerVersions }> = {
  api: apis.apiVersions,
  encode: () => undefined,
  decode(from) {
    const error = from.int16()
    const entries = from.array(() => [from.int16(), { minVersion: from.int16(), maxVersion: from.int16() }] as const)
    return { error, versions: Object.fromEntries(entries) }
  },
}
