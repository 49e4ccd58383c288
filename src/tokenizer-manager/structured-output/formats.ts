/**
 * The string formats of OpenAI's structured outputs, as regular expressions over the whole string. Each one
 * matches valid values only, and leaves out rare ones (a year-zero leap day, a label of 63 letters) where that
 * keeps it small.
 */

const LEAP = '(?:0[48]|[2468][048]|[13579][26])';
const LEAP_YEAR = `(?:\\d\\d${LEAP}|${LEAP}00)`;
const LONG_MONTH = '(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])';
const SHORT_MONTH = '(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)';
const FEBRUARY = '02-(?:0[1-9]|1\\d|2[0-8])';
/** RFC 3339, section 5.6: full-date and full-time. */
const DATE = `(?:\\d{4}-(?:${LONG_MONTH}|${SHORT_MONTH}|${FEBRUARY})|${LEAP_YEAR}-02-29)`;
const CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d';
const TIME = `${CLOCK}:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-]${CLOCK})`;

/** RFC 3339, appendix A: each unit may be followed by the next smaller one only. */
const COUNT = '\\d{1,9}';
const MINUTES = `${COUNT}M(?:${COUNT}S)?`;
const DURATION_TIME = `T(?:${COUNT}H(?:${MINUTES})?|${MINUTES}|${COUNT}S)`;
const MONTHS = `${COUNT}M(?:${COUNT}D)?`;
const DURATION_DATE = `(?:${COUNT}Y(?:${MONTHS})?|${MONTHS}|${COUNT}D)`;

/** RFC 1123 labels; with at most seven of them a name stays below 253 characters. */
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?';
const MAILBOX = "[A-Za-z0-9_'+-]";

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const HEX = '[0-9A-Fa-f]';

const FORMATS: ReadonlyMap<string, string> = new Map([
  ['date', DATE],
  ['time', TIME],
  ['date-time', `${DATE}T${TIME}`],
  ['duration', `P(?:${COUNT}W|${DURATION_DATE}(?:${DURATION_TIME})?|${DURATION_TIME})`],
  ['email', `${MAILBOX}{1,32}(?:\\.${MAILBOX}{1,15}){0,2}@(?:${LABEL}\\.){1,5}[A-Za-z]{2,24}`],
  ['hostname', `${LABEL}(?:\\.${LABEL}){0,6}`],
  ['ipv4', `${OCTET}(?:\\.${OCTET}){3}`],
  ['ipv6', ipv6()],
  ['uuid', `${HEX}{8}-(?:${HEX}{4}-){3}${HEX}{12}`],
]);

/** The expression for a format, or `undefined` if the format is not known. */
export function formatPattern(format: string): string | undefined {
  const body = FORMATS.get(format);
  return body && `^(?:${body})$`;
}

/** RFC 4291, section 2.2: eight groups, or `::` in the place of one or more of them. */
function ipv6(): string {
  const group = `${HEX}{1,4}`;
  const forms = [`(?:${group}:){7}${group}`];
  for (let left = 0; left <= 7; left++) {
    const before = left === 0 ? '' : `${group}(?::${group}){${left - 1}}`;
    const right = 7 - left;
    forms.push(`${before}::${right === 0 ? '' : `(?:${group}(?::${group}){0,${right - 1}})?`}`);
  }
  return forms.join('|');
}
