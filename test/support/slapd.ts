import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'ldapts';
import { TestAuthority } from '#testing/test-authority';
import { freePort } from '#testing/free-port';

/** Where slapd is (`.ci/servers.sh slapd`); undefined where it is not: what needs it is skipped. */
export const SLAPD = process.env['SERVER_SLAPD'];

export const BASE = 'dc=example,dc=org';
export const PEOPLE = `ou=people,${BASE}`;
export const GROUPS = `ou=groups,${BASE}`;
export const ADMIN = { dn: `cn=admin,${BASE}`, password: 'the password of the directory' };

/** A directory of another make, OpenLDAP's, as a process of its own with a folder of its own. */
export class Slapd {
  readonly #folder = mkdtempSync(join(tmpdir(), 'annals-slapd-'));
  #process: ChildProcess | undefined;
  #client: Client | undefined;
  readonly ca = join(this.#folder, 'ca.pem');

  private constructor(
    readonly port: number,
    readonly tlsPort: number,
  ) {}

  static async start(): Promise<Slapd> {
    const slapd = new Slapd(await freePort(), await freePort());
    slapd.#configure();
    await slapd.run();
    await slapd.client.add(BASE, { objectClass: ['dcObject', 'organization'], dc: 'example', o: 'Example' });
    for (const name of ['people', 'groups']) {
      await slapd.client.add(`ou=${name},${BASE}`, { objectClass: 'organizationalUnit', ou: name });
    }
    return slapd;
  }

  get url(): string {
    return `ldap://127.0.0.1:${this.port}`;
  }

  get tlsUrl(): string {
    return `ldaps://127.0.0.1:${this.tlsPort}`;
  }

  /** Of who may change everything. */
  get client(): Client {
    if (this.#client === undefined) throw new Error('the directory is not there');
    return this.#client;
  }

  async addPerson(uid: string, password: string, further: Record<string, string> = {}): Promise<string> {
    const dn = `cn=${uid.replaceAll(/[,*()\\]/g, '_')},${PEOPLE}`;
    await this.client.add(dn, {
      objectClass: 'inetOrgPerson',
      cn: `The ${uid}`,
      sn: uid,
      uid,
      userPassword: password,
      ...further,
    });
    return dn;
  }

  /** Starts the process, and waits until it answers. */
  async run(): Promise<void> {
    const libraries = readdirSync(join(SLAPD!, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu'));
    const path = [
      ...libraries.map((name) => join(SLAPD!, 'usr/lib', name)),
      ...libraries.map((name) => join(SLAPD!, 'lib', name)),
    ];
    const listen = `ldap://127.0.0.1:${this.port} ldaps://127.0.0.1:${this.tlsPort}`;
    this.#process = spawn(
      join(SLAPD!, 'usr/sbin/slapd'),
      ['-f', join(this.#folder, 'slapd.conf'), '-h', listen, '-d', '0'],
      { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, LD_LIBRARY_PATH: path.join(':') } },
    );
    for (;;) {
      const client = new Client({ url: this.url, autoRebind: true });
      try {
        await client.bind(ADMIN.dn, ADMIN.password);
        this.#client = client;
        return;
      } catch (error) {
        if (this.#process.exitCode !== null) throw new Error('slapd has ended', { cause: error });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Ends the process. */
  async end(): Promise<void> {
    await this.#client?.unbind();
    const gone = once(this.#process!, 'exit');
    this.#process!.kill();
    await gone;
  }

  async remove(): Promise<void> {
    await this.end();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #configure(): void {
    const authority = new TestAuthority();
    const { certificate, key } = authority.issue(['127.0.0.1', 'localhost']);
    writeFileSync(this.ca, authority.certificate);
    writeFileSync(join(this.#folder, 'cert.pem'), certificate);
    writeFileSync(join(this.#folder, 'key.pem'), key);
    mkdirSync(join(this.#folder, 'data'));
    const schemas = ['core', 'cosine', 'inetorgperson'].map(
      (name) => `include ${SLAPD}/etc/ldap/schema/${name}.schema`,
    );
    writeFileSync(
      join(this.#folder, 'slapd.conf'),
      `${schemas.join('\n')}
modulepath ${SLAPD}/usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile ${this.ca}
TLSCertificateFile ${join(this.#folder, 'cert.pem')}
TLSCertificateKeyFile ${join(this.#folder, 'key.pem')}
database mdb
suffix "${BASE}"
rootdn "${ADMIN.dn}"
rootpw "${ADMIN.password}"
directory ${join(this.#folder, 'data')}
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
`,
    );
  }
}
