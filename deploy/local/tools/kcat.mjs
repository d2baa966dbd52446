/** kcat, a Kafka consumer in C (librdkafka): the one on the machine, else Debian's. Only the benchmark needs it. */
import { versionOf } from './command.mjs'
import { installPackages } from './debian.mjs'

/**
 * @param {import('./folders.mjs').Say} say
 * @returns {Promise<import('./tools.mjs').Tool>}
 */
export async function ensureKcat(say) {
  if ((await versionOf('kcat', ['-V'])) === undefined) await installPackages(['kcat'], say)
  const version = await versionOf('kcat', ['-V'])
  if (version === undefined) throw new Error('kcat: install it; the benchmark reads Kafka with it')
  return { path: 'kcat', version, from: 'this system' }
}
