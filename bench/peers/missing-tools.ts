import { spawn } from 'node:child_process';

/** The tools that compiling llama.cpp needs and that cannot be run here, as one would ask for them. */
export async function missingTools(environment: NodeJS.ProcessEnv): Promise<string[]> {
  const tools = [
    ['git', 'git'],
    ['cmake', 'cmake'],
    [environment.CXX || 'c++', 'a C++ compiler'],
  ] as const;
  const found = await Promise.all(tools.map(([program]) => runs(program, environment)));
  return tools.filter((_, i) => !found[i]).map(([, name]) => name);
}

function runs(program: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, ['--version'], { stdio: 'ignore', env: environment });
    child.once('error', () => resolve(false));
    child.once('close', (code) => resolve(code === 0));
  });
}
