export { applyDocuments } from './apply.ts'
export { type FleetOptions, newPasswords, startFleet } from './fleet.ts'
