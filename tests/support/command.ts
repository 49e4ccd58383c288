import { execFile } from 'node:child_process';
import { expect } from 'vitest';
import { cleanEnvironment, MAIN, NODE } from './server.ts';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command of the project to its end, or so many seconds. */
export function tierkv(
  flags: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  seconds = 60,
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: cleanEnvironment(environment), timeout: seconds * 1000 };
    execFile(NODE, [MAIN, ...flags], options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

/** The one line of a command that must fail. */
export function complaintOf({ code, stderr }: Ended): string {
  expect(stderr).toMatch(/^tierkv: .*\n$/);
  expect(code).toBe(1);
  return stderr.slice('tierkv: '.length).trimEnd();
}
