import { Problem } from './problems.ts';
import type { Address } from './settings.ts';

const CERTIFICATE = /certificate|issuer|CERT_|_SIGNATURE|ALTNAME/i;
const FOREIGN = /Unknown RESP type/;
const PLAIN = /wrong version number|packet length too long|ERR_SSL|EPROTO/i;

export function nameOf(address: Address): string {
  if ('path' in address) return address.path;
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

/**
 * Why a connection could not be made.
 *
 * @param options to look at where nobody is at the address, as a message names them
 */
export function connectProblem(error: unknown, address: Address, options: string): Problem {
  const name = nameOf(address);
  const unreachable = (reason: string) => new Problem('unreachable', `${name} ${reason}`);
  const { code = '', message } =
    error instanceof Error ? (error as Error & { code?: string }) : { message: '' };
  switch (code) {
    case 'ECONNREFUSED':
      return unreachable(`refuses connections: check ${options}, and that the server runs`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return unreachable(`is not known to the name service: check ${options}`);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return unreachable(`cannot be reached: check ${options}, and firewalls between`);
    case 'ENOENT':
    case 'ENOTSOCK':
      return unreachable(`is no socket: check ${options}`);
    case 'EACCES':
      return new Problem('denied', `${name} may not be opened by this process: check its permissions`);
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return unreachable("shows a certificate of another name: check 'tls.servername'");
  }
  if (FOREIGN.test(message)) return unreachable(`is not a Redis server: check ${options}, and 'tls'`);
  if (/alert/i.test(`${code} ${message}`))
    return unreachable("refused the TLS connection: check 'tls.cert', 'tls.key' and 'tls.servername'");
  if (PLAIN.test(`${code} ${message}`)) return unreachable("does not speak TLS: check 'tls'");
  if (CERTIFICATE.test(`${code} ${message}`))
    return unreachable("shows a certificate that cannot be verified: check 'tls.ca'");
  return unreachable(
    `closed the connection at once: check ${options}, 'tls' with its 'cert' and 'key', and on the server protected-mode and maxclients`,
  );
}
