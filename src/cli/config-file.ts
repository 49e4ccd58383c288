import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import { parseDocument } from 'yaml';
import { failure } from '../shared/errors.ts';

/** What a text holds, or where it is wrong. The parsers' own messages quote the text, which may hold a secret. */
type Parsed = { value: unknown } | { wrongAt: string };

const FORMATS: Partial<Record<string, { name: string; parse: (text: string) => Parsed }>> = {
  '.json': { name: 'JSON', parse: fromJson },
  '.yaml': { name: 'YAML', parse: fromYaml },
  '.yml': { name: 'YAML', parse: fromYaml },
  '.toml': { name: 'TOML', parse: fromToml },
};

/**
 * The value of a flag that takes JSON, or `@file` with JSON, YAML or TOML by its extension. JSON on the command line is
 * given back as it is, and not looked at.
 *
 * @param flag its name, for messages
 * @returns JSON; of a file, that of an object
 * @throws `bad_option` with the file and what is wrong in it, never with what stands there
 */
export async function readConfig(flag: string, given: string | undefined): Promise<string | undefined> {
  if (!given?.startsWith('@')) return given;
  const file = given.slice(1);
  const refuse = (problem: string) => failure('bad_option', { reason: `${flag}: ${file} ${problem}.` });
  const format = FORMATS[path.extname(file).toLowerCase()];
  if (!format) throw refuse('does not end in .json, .yaml, .yml or .toml');
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw refuse(`cannot be read (${cause.code})`);
  });
  const parsed = format.parse(textOf(bytes) ?? refuseWith(refuse('is not valid UTF-8')));
  if ('wrongAt' in parsed) throw refuse(`is not valid ${format.name}${parsed.wrongAt}`);
  const { value } = parsed;
  if (!isPlainObject(value)) throw refuse('does not hold an object');
  const problem = notJson(value, '', new Set());
  if (problem !== undefined) throw refuse(`has ${problem}`);
  return JSON.stringify(value);
}

function refuseWith(error: Error): never {
  throw error;
}

/** Undefined when it is no UTF-8. A byte order mark is no part of it. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function fromJson(text: string): Parsed {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(String(error)) ?? [];
    return { wrongAt: line === undefined ? '' : at(line, column) };
  }
}

function fromYaml(text: string): Parsed {
  // Its warnings would be printed, with what stands in the file.
  const document = parseDocument(text, { logLevel: 'error' });
  const [wrong] = [...document.errors, ...document.warnings];
  if (wrong) return { wrongAt: wrong.linePos ? at(wrong.linePos[0].line, wrong.linePos[0].col) : '' };
  if (document.contents === null) return { value: {} };
  try {
    return { value: document.toJS() };
  } catch {
    return { wrongAt: ': an alias is unknown, or is used too often' };
  }
}

function fromToml(text: string): Parsed {
  try {
    return { value: parseToml(text) };
  } catch (error) {
    return { wrongAt: error instanceof TomlError ? at(error.line, error.column) : '' };
  }
}

function at(line: number | string, column: number | string | undefined): string {
  return ` (line ${line}, column ${column})`;
}

/** The first value that JSON cannot hold, in words; undefined when there is none. */
function notJson(value: unknown, place: string, around: ReadonlySet<unknown>): string | undefined {
  const what = unheld(value, around);
  if (what !== undefined) return `${what} at '${place}', which JSON cannot hold`;
  if (typeof value !== 'object' || value === null) return undefined;
  const within = new Set([...around, value]);
  for (const [key, inner] of Object.entries(value)) {
    const problem = notJson(inner, place === '' ? key : `${place}.${key}`, within);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function unheld(value: unknown, around: ReadonlySet<unknown>): string | undefined {
  if (value instanceof Date) return 'a date or time';
  if (around.has(value)) return 'an alias of what it is in';
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return 'a number that is not finite';
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? 'a number that is too large' : undefined;
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  return Array.isArray(value) || isPlainObject(value) ? undefined : 'a value of a special type';
}

/** TOML's tables have no prototype. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
