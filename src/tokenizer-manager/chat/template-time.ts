const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/** Python's `strftime` in English and local time, whatever the server's locale. Unknown directives stay as they are. */
export function formatTime(date: Date, format: string): string {
  const day = date.getDate();
  const hours = date.getHours();
  const values: Readonly<Record<string, string | number>> = {
    Y: date.getFullYear(),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    B: MONTHS[date.getMonth()]!,
    b: MONTHS[date.getMonth()]!.slice(0, 3),
    d: two(day),
    '-d': day,
    e: String(day).padStart(2),
    A: DAYS[date.getDay()]!,
    a: DAYS[date.getDay()]!.slice(0, 3),
    H: two(hours),
    I: two(hours % 12 || 12),
    p: hours < 12 ? 'AM' : 'PM',
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    '%': '%',
  };
  return format.replace(/%(-?[A-Za-z%])/g, (directive, name: string) => String(values[name] ?? directive));
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
