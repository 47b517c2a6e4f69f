import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
};

/**
 * Serves Hydrogen as whoever hosts it does: its files, and nothing of the homeserver, which is another origin. `folder` has
 * hydrogen-view-sdk in its node_modules, and `base` is the homeserver that it proposes. Answers its address and how to end it.
 */
export async function serveHydrogen(folder, base) {
  const modules = join(folder, 'node_modules');
  const build = await rolldown({
    input: fileURLToPath(new URL('./main.js', import.meta.url)),
    platform: 'browser',
    // Hydrogen itself loads its encryption as a script, which is served beside.
    resolve: { modules: [modules], alias: { '@matrix-org/olm/olm.js': false } },
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'esm' });
  await build.close();
  const made = { '/main.js': output[0].code, '/config.json': JSON.stringify({ defaultHomeServer: base }) };
  const folders = {
    '/assets/': join(modules, 'hydrogen-view-sdk/asset-build/assets/'),
    '/olm/': join(modules, '@matrix-org/olm/'),
    '/': join(modules, 'hydrogen-view-sdk/lib-build/'),
  };
  const contentOf = (path) => {
    if (path === '/' || path === '/index.html') return readFile(new URL('./index.html', import.meta.url));
    if (made[path] !== undefined) return made[path];
    const under = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    return readFile(join(folders[under], path.slice(under.length)));
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    Promise.resolve()
      .then(() => contentOf(pathname))
      .then(
        (content) =>
          response.writeHead(200, { 'content-type': TYPES[extname(pathname) || '.html'] ?? '' }).end(content),
        () => response.writeHead(404).end(),
      );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())),
  };
}
