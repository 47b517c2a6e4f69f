// The page of an audit: plain script for a browser, with no request to anywhere. All that it shows was chosen by people of the
// room, so that everything is set as text and nothing as markup. The data is what `write-page.ts` describes.
(() => {
  'use strict';
  const data = JSON.parse(document.getElementById('data').textContent);
  const { entries, actors, kinds } = data;
  const at = (id) => document.getElementById(id);

  /** An element with classes and text, or children. */
  function make(tag, classes, ...children) {
    const element = document.createElement(tag);
    if (classes) element.className = classes;
    element.append(...children.map(String));
    return element;
  }

  const pad = (number, width = 2) => String(number).padStart(width, '0');
  function moment(milliseconds) {
    const date = new Date(milliseconds);
    if (Number.isNaN(date.getTime())) return String(milliseconds);
    const day = `${date.getUTCFullYear()}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
    return `${day} ${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
  }

  // --- the state at any moment: a checkpoint and the few changes after it ---------------------------------------------------
  const EVERY = 512;
  const checkpoints = [new Map()];
  {
    const state = new Map();
    entries.forEach((entry, index) => {
      apply(state, entry);
      if ((index + 1) % EVERY === 0) checkpoints.push(new Map(state));
    });
  }
  function apply(state, entry) {
    for (const [type, key, eventId, content] of entry.effect ?? []) {
      const name = JSON.stringify([type, key]);
      // A key that is set anew goes to the end, as the newest.
      state.delete(name);
      // A key that holds nothing any more is gone.
      if (eventId !== null) state.set(name, { type, key, eventId, content });
    }
  }
  /** The state after the entry of this index; before the first one it is empty. */
  function stateAfter(index) {
    const from = Math.floor((index + 1) / EVERY);
    const state = new Map(checkpoints[from]);
    for (let i = from * EVERY; i <= index; i++) apply(state, entries[i]);
    return state;
  }

  // --- which entries are shown --------------------------------------------------------------------------------------------
  let shown = entries.map((_, index) => index);
  let chosen = entries.length - 1;
  function filter() {
    const words = at('search').value.trim().toLowerCase();
    const kind = at('kind').value;
    const who = at('who').value;
    shown = [];
    entries.forEach((entry, index) => {
      if (kind !== '' && String(entry.kind) !== kind) return;
      if (who !== '' && String(entry.who) !== who) return;
      const text = words === '' ? '' : `${actors[entry.who]} ${entry.what} ${entry.id ?? ''}`.toLowerCase();
      if (text.includes(words)) shown.push(index);
    });
    at('count').textContent = shown.length === entries.length ? '' : `${shown.length} of ${entries.length}`;
    at('timeline').scrollTop = 0;
    draw();
  }

  // --- the timeline: only what is in sight is there -----------------------------------------------------------------------
  const timeline = at('timeline');
  const space = at('space');
  const heightOf = () => (matchMedia('(max-width: 800px)').matches ? 62 : 44);
  function draw() {
    const height = heightOf();
    space.style.height = `${shown.length * height}px`;
    const first = Math.max(0, Math.floor(timeline.scrollTop / height) - 5);
    const last = Math.min(shown.length, first + Math.ceil(timeline.clientHeight / height) + 10);
    space.replaceChildren(...shown.slice(first, last).map((index, i) => line(index, (first + i) * height)));
  }
  function line(index, top) {
    const entry = entries[index];
    const element = make('div', 'entry');
    if (index > chosen) element.classList.add('later');
    if (index === chosen) element.classList.add('chosen');
    if (entry.wrong !== undefined) element.classList.add('wrong');
    element.style.top = `${top}px`;
    const what = make('span', '', '');
    const name = make('b', '', actors[entry.who]);
    what.append(name, ` ${entry.what}`);
    what.title = `${actors[entry.who]} ${entry.what}`;
    const chain = make('span', 'chain mono faint', entry.chain.slice(0, 8));
    chain.title = `chain ${entry.chain}`;
    element.append(make('span', 'number', entry.revision), make('span', 'time', moment(entry.at)), what, chain);
    element.addEventListener('click', () => choose(index));
    return element;
  }

  // --- the moment that is looked at ---------------------------------------------------------------------------------------
  function choose(index) {
    chosen = Math.max(0, Math.min(entries.length - 1, index));
    at('slider').value = String(chosen);
    draw();
    drawState();
  }
  function bringIntoSight() {
    const place = shown.findIndex((index) => index >= chosen);
    if (place < 0) return;
    const height = heightOf();
    const top = place * height;
    if (top < timeline.scrollTop || top + height > timeline.scrollTop + timeline.clientHeight) {
      timeline.scrollTop = top - timeline.clientHeight / 2;
    }
  }

  const MOST_MEMBERS = 500;
  function drawState() {
    const entry = entries[chosen];
    at('when').textContent = entry === undefined ? '' : `${moment(entry.at)} UTC`;
    const panel = at('state');
    if (entry === undefined) return panel.replaceChildren();
    const state = stateAfter(chosen);
    const content = (type, key = '') => state.get(JSON.stringify([type, key]))?.content ?? {};
    const facts = [
      ['name', content('m.room.name').name],
      ['topic', content('m.room.topic').topic],
      ['main alias', content('m.room.canonical_alias').alias],
      ['version', content('m.room.create').room_version ?? '1'],
      ['join rule', content('m.room.join_rules').join_rule],
      ['history visible to', content('m.room.history_visibility').history_visibility],
      ['guests', content('m.room.guest_access').guest_access],
      ['encryption', content('m.room.encryption').algorithm],
    ].filter(([, value]) => value !== undefined);
    const table = make('table');
    for (const [name, value] of facts) table.append(row([name, 'label'], [textOf(value)]));
    panel.replaceChildren(
      make('h2', '', `After revision ${entry.revision}`),
      ...chosenEntry(entry),
      make('h2', '', 'The room'),
      table,
      ...members(state, content('m.room.power_levels')),
      ...others(state),
    );
  }
  function chosenEntry(entry) {
    const table = make('table');
    const add = (name, value) => value !== undefined && table.append(row([name, 'label'], [value, 'mono']));
    const words = make('p', '', '');
    words.append(make('b', '', actors[entry.who]), ` ${entry.what}`);
    add('device', entry.device);
    add('sent by', entry.origin);
    add('transaction', entry.transaction);
    add('event', entry.id);
    add('state', entry.root);
    add('chain', entry.chain);
    const wrong = (entry.wrong ?? []).map((problem) => make('p', 'problem', problem));
    for (const each of wrong) each.style.color = 'var(--bad)';
    return [words, ...wrong, table];
  }
  function members(state, power) {
    const levels = power.users ?? {};
    const levelOf = (user) => Number(levels[user] ?? power.users_default ?? 0);
    const all = [...state.values()].filter(({ type }) => type === 'm.room.member');
    return ['join', 'invite', 'knock', 'ban', 'leave'].flatMap((membership) => {
      const some = all.filter(({ content }) => content.membership === membership);
      if (some.length === 0) return [];
      some.sort((a, b) => levelOf(b.key) - levelOf(a.key) || (a.key < b.key ? -1 : 1));
      const names = {
        join: 'in the room',
        invite: 'invited',
        knock: 'ask to be let in',
        ban: 'banned',
        leave: 'have left',
      };
      const table = make('table');
      for (const { key, content } of some.slice(0, MOST_MEMBERS)) {
        const name = typeof content.displayname === 'string' ? content.displayname : '';
        table.append(row([key], [name, 'faint'], [membership === 'join' ? levelOf(key) : '', 'level']));
      }
      const more = some.length > MOST_MEMBERS ? [make('p', 'faint', `and ${some.length - MOST_MEMBERS} more`)] : [];
      return [make('h2', '', `${some.length} ${names[membership]}`), table, ...more];
    });
  }
  function others(state) {
    const rest = [...state.values()].filter(({ type }) => type !== 'm.room.member');
    return [
      make('h2', '', 'All other state'),
      ...rest.map(({ type, key, eventId, content }) => {
        const details = make('details');
        const summary = make('summary', 'mono', key === '' ? type : `${type} (${key})`);
        details.append(summary, make('pre', 'mono', `${eventId}\n${JSON.stringify(content, null, 2)}`));
        return details;
      }),
    ];
  }
  function row(...cells) {
    const element = make('tr');
    for (const [text, classes] of cells) element.append(make('td', classes ?? '', text));
    return element;
  }
  const textOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

  // --- begin ---------------------------------------------------------------------------------------------------------------
  const option = (value, text) => {
    const element = make('option', '', text);
    element.value = value;
    return element;
  };
  at('kind').append(option('', 'everything'), ...kinds.map((kind, index) => option(index, kind)));
  at('who').append(option('', 'everybody'), ...actors.map((actor, index) => option(index, actor)));
  at('slider').max = String(Math.max(0, entries.length - 1));
  at('slider').addEventListener('input', (event) => {
    choose(Number(event.target.value));
    bringIntoSight();
  });
  for (const id of ['search', 'kind', 'who']) at(id).addEventListener('input', filter);
  timeline.addEventListener('scroll', draw, { passive: true });
  addEventListener('resize', draw);
  document.addEventListener('keydown', (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step === undefined || event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement)
      return;
    event.preventDefault();
    const place = shown.findIndex((index) => index >= chosen);
    choose(shown[Math.max(0, Math.min(shown.length - 1, (place < 0 ? shown.length : place) + step))] ?? chosen);
    bringIntoSight();
  });
  const wanted = /^#r(\d+)$/.exec(location.hash)?.[1];
  choose(wanted === undefined ? entries.length - 1 : entries.findIndex(({ revision }) => revision >= Number(wanted)));
  bringIntoSight();
})();
