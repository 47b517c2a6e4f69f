/** What this server says of itself to other servers. A test holds it to package.json. */
export const SOFTWARE = Object.freeze({ name: 'Annals', version: '0.1.0' });
