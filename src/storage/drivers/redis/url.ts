import type { Address, Credentials } from './settings.ts';

interface ParsedUrl extends Credentials {
  address: Address;
  tls: boolean;
  db?: number | undefined;
}

/** A URL of a server, or what it must be, without a part of it: any may be a secret. */
export function parseUrl(text: string): ParsedUrl | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['redis:', 'rediss:', 'unix:'].includes(url.protocol))
    return 'must begin with redis://, rediss:// or unix:///, and have special characters of its password encoded';
  const isSocket = url.protocol === 'unix:';
  const place = isSocket ? url.pathname : url.hostname;
  if (place === '' || place === '/') return isSocket ? 'must have the path of a socket' : 'must have a host';
  const db = isSocket ? url.searchParams.get('db') : url.pathname.slice(1);
  if (db && !/^\d{1,9}$/.test(db)) return 'must have a number as its database';
  try {
    return {
      address: isSocket
        ? { path: decodeURIComponent(url.pathname) }
        : { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 6379) },
      tls: url.protocol === 'rediss:',
      username: decodeURIComponent(url.username) || undefined,
      password: decodeURIComponent(url.password) || undefined,
      db: db ? Number(db) : undefined,
    };
  } catch {
    return 'must have a "%" encoded as %25';
  }
}
