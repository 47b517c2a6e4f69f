import { until } from './until.mjs';

/** Where Hydrogen 0.3.1 complains, and nobody else has done anything wrong. */
const ITS_OWN = [
  // It opens a room that it has yet to be told the id of, and then shows none: whoever made it finds it in the list.
  /getKey\(true\) failed/,
  // MSC2697, which MSC3814 took the place of: it goes on without.
  /dehydrated_device: 404$/,
  // It takes the steps of a verification for answers to the message that asked for it, and cannot show that one as quoted.
  /avatarUrl is not a function[^]*ReplyPreviewView/,
];

/** Somebody at a browser of their own, with Hydrogen in a tab: does and sees what can be done and seen there. */
export class Person {
  /** What was wrong with the page, or with an answer to it. */
  complaints = [];

  constructor(name, context, site) {
    this.name = name;
    this.context = context;
    this.site = site;
  }

  static async arrive(browser, site, name) {
    const person = new Person(name, await browser.newContext({ viewport: { width: 1000, height: 620 } }), site);
    await person.opensTab();
    return person;
  }

  async opensTab() {
    this.page = await this.context.newPage();
    this.page.setDefaultTimeout(60_000);
    this.page.on('dialog', (dialog) => dialog.accept());
    this.page.on('pageerror', (error) => this.#complainsOf(error.stack ?? String(error)));
    this.page.on('console', (message) => {
      // A server that is away is nothing to complain of, and the others are answers.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        this.#complainsOf(message.text());
    });
    this.page.on('response', (response) => {
      const { pathname } = new URL(response.url());
      if (response.status() >= 400)
        this.#complainsOf(`${response.request().method()} ${pathname}: ${response.status()}`);
    });
    await this.page.goto(this.site);
  }

  #complainsOf(what) {
    if (!ITS_OWN.some((pattern) => pattern.test(what))) this.complaints.push(`${this.name}: ${what}`);
  }

  /** What Hydrogen keeps stays. */
  closesTab() {
    return this.page.close();
  }

  async logsIn(password) {
    await this.page.getByLabel('Username').fill(this.name);
    await this.page.getByLabel('Password').fill(password);
    await this.page.getByRole('button', { name: 'Log In' }).click();
  }

  async logsOut() {
    await this.opensSettings();
    await this.page.getByRole('button', { name: 'Log out' }).click();
    await this.page.locator('.LogoutScreen').getByRole('button', { name: 'Log out' }).click();
    await this.page.getByRole('link', { name: 'Sign In' }).click();
    await this.page.getByLabel('Username').waitFor();
  }

  opensSettings() {
    return this.page.getByLabel('Settings').click();
  }

  /** Gives Hydrogen, in its settings, the phrase of the user's secret storage. */
  async entersPhrase(phrase) {
    await this.page.getByRole('button', { name: 'use a security phrase' }).click();
    await this.page.getByPlaceholder('Security phrase').fill(phrase);
    await this.page.getByRole('button', { name: 'Set up' }).click();
    await this.page.getByText('Key backup is enabled').waitFor();
  }

  /** A room, or an invitation, in the list. */
  tile(room) {
    return this.page.locator('.RoomList li', { hasText: room });
  }

  async opens(room) {
    await this.tile(room).click();
    await this.page.locator('.RoomHeader h2', { hasText: room }).waitFor();
  }

  /** The rooms of the list, by their ids. */
  async roomIds() {
    const links = await this.page.locator('.RoomList a').evaluateAll((all) => all.map(({ href }) => href));
    return links.map((href) => decodeURIComponent(href.split('/').at(-1)));
  }

  async choosesFrom(menu, option) {
    await this.page.getByLabel(menu, { exact: true }).click();
    await this.page.getByRole('menu').getByRole('button', { name: option }).click();
  }

  async createsRoom(name, topic) {
    await this.choosesFrom('Create room', 'Create Room');
    await this.page.getByLabel('Room name').fill(name);
    await this.page.getByLabel('Topic').fill(topic);
    await this.page.locator('.CreateRoomView').getByRole('button', { name: 'Create room' }).click();
    await this.opens(name);
    await this.page.getByPlaceholder('Send an encrypted message…').waitFor();
  }

  async joinsRoom(alias, name) {
    await this.choosesFrom('Create room', 'Join Room');
    await this.page.getByLabel('Room id').fill(alias);
    await this.page.getByRole('button', { name: 'Join', exact: true }).click();
    await this.page.locator('.RoomHeader h2', { hasText: name }).waitFor();
  }

  leavesRoom() {
    return this.choosesFrom('Room options', 'Leave room');
  }

  async opensPeople() {
    await this.choosesFrom('Room options', 'Room details');
    await this.page.getByRole('button', { name: 'People' }).click();
  }

  async opensMember(name) {
    await this.opensPeople();
    await this.page.locator('.MemberTileView', { hasText: name }).click();
  }

  /** What Hydrogen once found out of somebody, it goes on to say until the page is loaded anew. */
  seesOf(name, trust) {
    return until(`of ${name}: ${trust}`, async () => {
      await this.page.reload();
      await this.opensMember(name);
      const shown = this.page.locator('.MemberDetailsView_shield_description').filter({ hasNotText: 'Please wait' });
      return (await shown.textContent()) === trust;
    });
  }

  async invites(userId) {
    await this.opensPeople();
    await this.page.getByRole('button', { name: 'Invite to this room' }).click();
    await this.page.getByPlaceholder('Enter user-id of user').fill(userId);
    await this.page.getByRole('button', { name: 'Invite', exact: true }).click();
    await this.page.locator('.RightPanelView').waitFor({ state: 'detached' });
  }

  async opensInvitation(room, says) {
    await this.tile(room).click();
    await this.page.locator('.InviteView', { hasText: says }).waitFor();
  }

  async accepts() {
    await this.page.getByRole('button', { name: 'Accept' }).click();
    await this.page.locator('.MessageComposer').waitFor();
  }

  /** Begins to talk with somebody alone who is in the room that is open. */
  async turnsTo(name) {
    await this.opensMember(name);
    await this.page.getByRole('button', { name: 'Open direct message' }).click();
    await this.page.locator('.RightPanelView').waitFor({ state: 'detached' });
    await this.opens(name);
  }

  async writes(body) {
    const composer = this.page.locator('.MessageComposer textarea');
    await composer.fill(body);
    await composer.press('Enter');
    await this.reads(body);
  }

  /** A message that the server has. */
  message(body) {
    return this.page.locator('.Timeline li.Timeline_message:not(.unsent)', { hasText: body }).last();
  }

  reads(body) {
    return this.message(body).waitFor();
  }

  async choosesFor(body, option) {
    const message = this.message(body);
    await message.hover();
    await message.locator('.Timeline_messageOptions').click();
    await this.page.getByRole('menu').getByRole('button', { name: option }).click();
  }

  /** Sees what the room tells of its state. */
  isTold(announcement) {
    return this.page.locator('.AnnouncementView', { hasText: announcement }).last().waitFor();
  }

  async scrollsBackTo(body) {
    await this.page.locator('.Timeline').hover();
    await until(body, async () => {
      await this.page.mouse.wheel(0, -2000);
      return this.message(body).isVisible();
    });
  }

  async accessToken() {
    const [session] = JSON.parse(await this.page.evaluate(() => localStorage.getItem('hydrogen_sessions_v1')));
    return session.accessToken;
  }
}
