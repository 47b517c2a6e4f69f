import { loadConfig } from '#config/config';
import { type RunningServer, startServer } from '#homeserver/server';
import { openLog } from '#observability/logger';

/** Starts a server over the data folder of a test, as `testInstallation` finds it: open to all, alone, and silent. */
export async function startTestServer(
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningServer> {
  const config = loadConfig({
    ANNALS_SERVER_NAME: 'a.example',
    ANNALS_LISTEN: '127.0.0.1:0',
    ANNALS_DATA_DIR: folder,
    ANNALS_REGISTRATION: 'open',
    ANNALS_FEDERATION: 'off',
    ANNALS_RATE_LIMITS: 'off',
    ANNALS_LOG: 'silent',
    ...settings,
  });
  return startServer(config, await openLog(config.log), () => {});
}

/** Asks a server as one of its users, below `/_matrix/client/v3`. */
export type Ask = <T>(method: string, path: string, body?: object) => Promise<T>;

/** Registers Alice; answers how she asks her server. */
export async function registerAlice({ address }: RunningServer): Promise<Ask> {
  const account = { username: 'alice', password: 'a password', auth: { type: 'm.login.dummy' } };
  const { access_token: token } = await asking(address, {})<{ access_token: string }>('POST', '/register', account);
  return asking(address, { authorization: `Bearer ${token}` });
}

function asking(address: string, headers: Readonly<Record<string, string>>): Ask {
  return async <T>(method: string, path: string, body?: object): Promise<T> => {
    const url = `${address}/_matrix/client/v3${path}`;
    const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    return (await answer.json()) as T;
  };
}
