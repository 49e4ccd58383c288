import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where what can be made again is kept: `$TIERKV_CACHE_DIR` when it is set, else a part of the user's cache folder. */
export function cacheFolder(): string {
  return process.env.TIERKV_CACHE_DIR || join(userCache(), 'tierkv');
}

function userCache(): string {
  const home = homedir();
  if (process.platform === 'win32') return process.env.LOCALAPPDATA || join(home, 'AppData', 'Local');
  if (process.platform === 'darwin') return join(home, 'Library', 'Caches');
  return process.env.XDG_CACHE_HOME || join(home, '.cache');
}
