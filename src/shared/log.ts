import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFormat = 'pretty' | 'json';

/** Wherever a key may stand in something that is logged. */
const SECRETS = [
  'apiKey',
  'adminApiKey',
  'api_key',
  'admin_api_key',
  'authorization',
  '*.authorization',
  '*["x-api-key"]',
];

/** The server's log, on stderr: stdout is for what a command prints. */
export function createLogger(level: LogLevel, format: LogFormat): Logger {
  const options = { level, redact: SECRETS };
  if (format === 'json') return pino(options, pino.destination({ dest: 2, sync: true }));
  return pino(
    options,
    pretty({ destination: 2, sync: true, ignore: 'pid,hostname,reqId', translateTime: 'HH:MM:ss.l' }),
  );
}
