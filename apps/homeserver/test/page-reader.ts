import type { Answer, WholeServer } from './whole-server.js';

/** A browser as far as the pages of the server need one: it keeps cookies, and sends forms as pages have them. */
export class PageReader {
  readonly #cookies = new Map<string, string>();

  constructor(private readonly server: WholeServer) {}

  get cookie(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  get isSignedIn(): boolean {
    return this.cookie !== '' && !this.cookie.includes('=-.');
  }

  async get(path: string): Promise<Answer> {
    return this.#ask('GET', path);
  }

  /** Sends the form of a page that goes to `action`, with these fields in place of its own. */
  async send(page: Answer, action: string, fields: Readonly<Record<string, string>>): Promise<Answer> {
    const form = page.text.split('<form').find((one) => one.includes(`action="${action.replaceAll('&', '&#38;')}`));
    if (form === undefined) throw new Error(`no form to ${action} in ${page.status} ${page.text}`);
    const to = /action="([^"]*)"/.exec(form)![1]!.replaceAll('&#38;', '&');
    const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)"[^>]* value="([^"]*)"/g)];
    const own = Object.fromEntries(hidden.map(([, name, value]) => [name!, value!.replaceAll('&#38;', '&')]));
    return this.post(to, { ...own, ...fields });
  }

  post(path: string, fields: Readonly<Record<string, string>>): Promise<Answer> {
    return this.#ask('POST', path, new URLSearchParams(fields).toString());
  }

  async #ask(method: string, path: string, body?: string): Promise<Answer> {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const headers = { ...(body === undefined ? {} : form), ...(this.cookie === '' ? {} : { cookie: this.cookie }) };
    const answer = await this.server.request(method, path, { body, headers });
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value === '') this.#cookies.delete(name!);
      else this.#cookies.set(name!, value!);
    }
    return answer;
  }
}
