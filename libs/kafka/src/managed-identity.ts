/**
 * Tokens of a managed identity of Azure: of a pod by workload identity, whose webhook sets the variables of the
 * environment; else of the machine, by its metadata service (IMDS). The variables are those of Azure's own SDKs.
 */
import { readFile } from 'node:fs/promises'
import { KafkaError } from './errors.ts'
import { askIssuer, type Token } from './token-source.ts'

type Environment = { readonly [name: string]: string | undefined }

/** Where it runs. */
interface Surroundings {
  env: Environment
  /** Told of the pod's own token, which must never be shown. */
  conceal: (secret: string) => void
}

/** A token for an audience such as `https://<namespace>.servicebus.windows.net`. Rejects with KafkaError `no_token`. */
export async function identityToken(audience: string, surroundings: Surroundings): Promise<Token> {
  const resource = audience.replace(/\/\.default$/, '')
  const { AZURE_FEDERATED_TOKEN_FILE: file } = surroundings.env
  if (file === undefined) return await machineToken(resource, surroundings.env)
  return await podToken(resource, { ...surroundings, file })
}

async function podToken(resource: string, { env, conceal, file }: Surroundings & { file: string }): Promise<Token> {
  const { AZURE_CLIENT_ID: client, AZURE_TENANT_ID: tenant } = env
  const { AZURE_AUTHORITY_HOST: authority = 'https://login.microsoftonline.com/' } = env
  if (client === undefined || tenant === undefined) {
    const message = 'Workload identity needs AZURE_CLIENT_ID and AZURE_TENANT_ID beside AZURE_FEDERATED_TOKEN_FILE.'
    throw new KafkaError('no_token', message)
  }
  // Read anew each time: it is replaced while we run.
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new KafkaError('no_token', `AZURE_FEDERATED_TOKEN_FILE names ${file}, which can't be read.`, { cause })
  })
  const assertion = content.trim()
  conceal(assertion)
  return await askIssuer({
    url: `${authority.replace(/\/$/, '')}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`,
    form: {
      grant_type: 'client_credentials',
      scope: `${resource}/.default`,
      client_id: client,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    },
    hint: "check the workload identity's federation with this pod's service account, and the audience",
  })
}

async function machineToken(resource: string, env: Environment): Promise<Token> {
  const { AZURE_CLIENT_ID: client, AZURE_POD_IDENTITY_AUTHORITY_HOST: host = 'http://169.254.169.254' } = env
  const query = new URLSearchParams({ 'api-version': '2018-02-01', resource, ...(client && { client_id: client }) })
  return await askIssuer({
    url: `${host.replace(/\/$/, '')}/metadata/identity/oauth2/token?${query.toString()}`,
    headers: { Metadata: 'true' },
    hint: 'check that this machine or pod has a managed identity, and the audience',
  })
}
