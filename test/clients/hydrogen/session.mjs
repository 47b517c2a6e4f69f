import assert from 'node:assert/strict';

export const passwordOf = (name) => `secret of ${name}`;

/** A session that needs no browser: sees what the server has, and does what Hydrogen offers nothing for. */
export class Session {
  #transactions = 0;

  constructor(base, token) {
    this.base = base;
    this.token = token;
  }

  static async logIn(base, name) {
    const session = new Session(base);
    const identifier = { type: 'm.id.user', user: name };
    const body = { type: 'm.login.password', identifier, password: passwordOf(name) };
    const { access_token, user_id } = await session.ask('POST', '/login', body);
    session.token = access_token;
    session.userId = user_id;
    return session;
  }

  request(method, path, body) {
    return fetch(`${this.base}/_matrix/client/v3${path}`, {
      method,
      headers: this.token === undefined ? {} : { authorization: `Bearer ${this.token}` },
      body: JSON.stringify(body),
    });
  }

  async ask(method, path, body) {
    const response = await this.request(method, path, body);
    const answer = await response.json();
    assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  says(roomId, body) {
    const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${this.#transactions++}`;
    return this.ask('PUT', path, { msgtype: 'm.text', body });
  }

  callsThemselves(name) {
    return this.ask('PUT', `/profile/${encodeURIComponent(this.userId)}/displayname`, { displayname: name });
  }
}
