import { type HtmlPage, htmlPage } from './html-page.js';

/** Query parameters that are handed on to the login. Never credentials: those would end up in logs. */
const HANDED_ON = ['device_id', 'initial_device_display_name', 'refresh_token'];

const BODY = `<form><p role="alert" id="problem"></p>
<label for="user">User name</label><input id="user" autocomplete="username" autocapitalize="none" required>
<label for="password">Password</label><input id="password" type="password" autocomplete="current-password" required>
<button>Log in</button></form>`;

const SCRIPT = `
const form = document.querySelector('form'), problem = document.getElementById('problem');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  problem.textContent = '';
  const given = new URLSearchParams(location.search), request = {
    type: 'm.login.password',
    user: form.user.value,
    identifier: { type: 'm.id.user', user: form.user.value },
    password: form.password.value,
  };
  for (const key of ${JSON.stringify(HANDED_ON)}) {
    if (given.has(key)) request[key] = key === 'refresh_token' ? given.get(key) === 'true' : given.get(key);
  }
  try {
    const answer = await fetch('ENDPOINT', { method: 'POST', body: JSON.stringify(request) });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    form.remove();
    problem.remove();
    document.body.append('You are logged in.');
    if (window.matrixLogin && window.matrixLogin.onLogin) window.matrixLogin.onLogin(body);
  } catch (error) {
    problem.textContent = error.message;
  }
});
`;

/** A page that performs a whole login against `endpoint` and hands its answer to `window.matrixLogin.onLogin`. */
export function loginPage(endpoint: string): HtmlPage {
  return htmlPage('Log in', BODY, SCRIPT.replace('ENDPOINT', endpoint));
}
