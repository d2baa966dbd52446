/** What Node and OpenSSL say of a handshake that failed, in words that tell a user what to look at. */

/** The codes of what is wrong with the other side's certificate. */
const ofCertificate: { readonly [code: string]: string } = {
  CERT_HAS_EXPIRED: 'its certificate, or one that signed it, has expired: it must be renewed there',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: check the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another name: connect by a name that is in it, or write that name in tls.servername',
}

const untrusted =
  'its certificate is of an authority that is not trusted here: name that authority in tls.caFile or tls.caSecretName'

/** Alerts are what the other side complains of. */
const alerts: readonly (readonly [RegExp, string])[] = [
  [/ALERT_CERTIFICATE_REQUIRED/, 'it wants a certificate of ours: name one in auth.x509'],
  [/ALERT_CERTIFICATE_EXPIRED/, 'our certificate has expired: renew tls.crt and tls.key of the secret in auth.x509'],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(UNKNOWN|REVOKED)|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/,
    'it does not accept our certificate, or the lack of one: check the secret in auth.x509, and whom it trusts',
  ],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/, 'it does not speak TLS: check the port'],
]

/**
 * What to do about an error's `code`, as a clause that goes on after "TLS failed:"; undefined where the code is none of
 * TLS.
 */
export function tlsAdvice(code: string): string | undefined {
  const known = ofCertificate[code] ?? alerts.find(([pattern]) => pattern.test(code))?.[1]
  if (known !== undefined) return known
  if (/^(UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(code)) return untrusted
  if (!/CERT|TLS|SSL|CRL|HOSTNAME|OSSL/.test(code)) return undefined
  return 'check both certificates, their names and dates, and the versions of TLS that it speaks'
}
