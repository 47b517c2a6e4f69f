import { spawnSync } from 'node:child_process';

/**
 * Leaves the locks of a file of LMDB that another process has open as they are where the last one closes it while another opens it. By a
 * process of its own, for who closes a file lets go of all that their process has locked of it.
 */
export function letGoOfLocks(directory: string): void {
  // 0x90: robust and shared, for glibc.
  const program = `const { readFileSync, writeFileSync } = require('node:fs');
    const locks = readFileSync('lock.mdb');
    for (let at = 0; at < 512; at += 4) if (locks.readInt32LE(at) === 0x90) locks.writeInt32LE(-1, at);
    writeFileSync('lock.mdb', locks, { flag: 'r+' });`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: directory });
  if (status !== 0) throw new Error(String(stderr));
}
