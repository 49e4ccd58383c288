import { readFile } from 'node:fs/promises';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import type { TlsOptions } from './options.ts';
import { Problem } from './problems.ts';

const PEM = '-----BEGIN ';

/** What Node.js takes for an encrypted connection; files are read. Rejects with a {@link Problem}. */
export async function tlsConnection(tls: TlsOptions): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all([pem('ca', tls.ca), pem('cert', tls.cert), pem('key', tls.key)]);
  const used = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
  try {
    createSecureContext(used);
  } catch {
    // Its error may quote them.
    throw new Problem('io', "'tls.ca', 'tls.cert' and 'tls.key' are no PEM, or do not belong together");
  }
  return {
    ...used,
    ...(tls.servername === undefined ? {} : { servername: tls.servername }),
    rejectUnauthorized: tls.reject_unauthorized ?? true,
  };
}

async function pem(name: string, text: string | undefined): Promise<string | undefined> {
  if (text === undefined || text.includes(PEM)) return text;
  try {
    return await readFile(text, 'utf8');
  } catch {
    throw new Problem('io', `'tls.${name}' is neither PEM text nor a file that can be read`);
  }
}
