/** The second connection of a connector. */
import { legalName } from '../legal-name.ts'

/** The name of a connector's connection to its own MQTT broker. */
export const localName = (connector: string): string => legalName(`${connector}-local`)
