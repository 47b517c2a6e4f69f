import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** A script of the repository as one file that Node can run. */
export interface BundledScript {
  readonly path: string;
  remove(): Promise<void>;
}

/** A script of the repository in a process of its own. */
export interface StartedScript {
  readonly process: ChildProcess;
  /** Kills it if need be and removes what was made to start it. */
  remove(): Promise<void>;
}

/** Bundles a TypeScript file of the repository (path from its root): for tests that run it in another process. */
export async function bundleScript(file: string): Promise<BundledScript> {
  const folder = await mkdtemp(join(tmpdir(), 'annals-script-'));
  await build({
    root,
    configFile: false,
    logLevel: 'silent',
    resolve: { alias: [{ find: /^#([a-z-]+)\/(.*)$/, replacement: `${root}libs/$1/src/$2.ts` }] },
    build: {
      ssr: join(root, file),
      outDir: folder,
      emptyOutDir: false,
      rollupOptions: { output: { entryFileNames: 'script.mjs' } },
    },
  });
  // So that the script finds the packages, which are not bundled.
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  return { path: join(folder, 'script.mjs'), remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Bundles a script and runs it in another process, its output piped: for tests that must be able to kill it. */
export async function startScript(file: string, args: readonly string[]): Promise<StartedScript> {
  const script = await bundleScript(file);
  const started = spawn(process.execPath, [script.path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const remove = async () => {
    started.kill('SIGKILL');
    await script.remove();
  };
  return { process: started, remove };
}
