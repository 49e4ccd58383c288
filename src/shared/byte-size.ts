const POWERS = ['', 'k', 'm', 'g', 't'];

/** Bytes of a text such as `1048576`, `20GB` (1000³) or `4 GiB` (1024³); undefined where it is none. */
export function parseByteSize(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgt]?)b?|([kmgt])ib)\s*$/i.exec(text);
  if (!match) return undefined;
  const [, digits, decimal = '', binary] = match;
  const unit = binary === undefined ? 1000 ** powerOf(decimal) : 1024 ** powerOf(binary);
  const bytes = Math.floor(Number(digits) * unit);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function powerOf(prefix: string): number {
  return POWERS.indexOf(prefix.toLowerCase());
}
