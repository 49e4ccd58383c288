/** A number of zero or more, written out: digits before the point, digits after it without zeros at the end. */
export interface Decimal {
  readonly whole: string;
  readonly fraction: string;
}

export const ZERO: Decimal = { whole: '0', fraction: '' };

/** The shortest decimal that reads back as |value|. */
export function toDecimal(value: number): Decimal {
  const [digits = '', power = '0'] = Math.abs(value).toExponential().split('e');
  const [first = '', rest = ''] = digits.split('.');
  const all = first + rest;
  const point = 1 + Number(power);
  const whole = point > 0 ? all.slice(0, point).padEnd(point, '0') : '0';
  const fraction = point > 0 ? all.slice(point) : '0'.repeat(-point) + all;
  return { whole, fraction: fraction.replace(/0+$/, '') };
}
