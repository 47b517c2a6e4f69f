import type { Config, RegistrationMode } from '#config/config';
import { escapeHtml } from '#kernel/escape-html';

/** How somebody gets an account, by how registration is set. */
export const FIRST_ACCOUNT: Readonly<Record<RegistrationMode, string>> = {
  open: 'Registration is open: choose "Create account" in any Matrix client and enter the address above.',
  token:
    'Registration needs a token. The first start of the server printed one, for one account: choose "Create account" in a Matrix client, enter the address above, then the token.',
  closed: 'Registration is closed: the operator makes accounts.',
};

/** The page at `/`: what this is, its address, how to get an account, where operators look. Nothing is loaded from elsewhere. */
export function welcomePage(config: Pick<Config, 'serverName' | 'publicUrl' | 'registration'>): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Annals at ${escapeHtml(config.serverName)}</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; color: #222; background: #fff }
code { background: #eee; padding: .1em .3em; border-radius: .2em }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b } code { background: #333 } a { color: #8bf } }
</style>
</head>
<body><main>
<h1>Annals</h1>
<p>This is <strong>${escapeHtml(config.serverName)}</strong>, a <a href="https://matrix.org/">Matrix</a> homeserver. People talk
here with any Matrix client; what they see is made from one log of facts.</p>
<dl>
<dt>Address for clients</dt><dd><code>${escapeHtml(config.publicUrl)}</code></dd>
<dt>User ids</dt><dd><code>@name:${escapeHtml(config.serverName)}</code></dd>
</dl>
<h2>An account</h2>
<p>${escapeHtml(FIRST_ACCOUNT[config.registration])}</p>
<h2>For operators</h2>
<ul>
<li><a href="/health">Health</a>, for load balancers and supervisors</li>
<li><a href="/metrics">Metrics</a>, in the format of Prometheus</li>
<li><a href="/_matrix/client/versions">Versions</a> of the client-server API</li>
<li>Documentation: <code>README.md</code> and <code>docs/</code> beside the server's sources</li>
</ul>
</main></body>
</html>
`;
}
