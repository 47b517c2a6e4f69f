import { Logger } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '#config/config';
import { Outgoing } from '#http/outgoing/outgoing';
import { RateLimits } from '#http/rate-limits';
import { startTextGateway, type TextGateway } from '#testing/text-gateway';
import { FOR_DEVELOPMENT } from './logged-texts.js';
import { phoneReader } from './phone-numbers.js';
import { TextFailure } from './text-messages.js';
import { Texter } from './texter.js';

const NUMBER = '4915112345678';
const MESSAGE = { number: NUMBER, text: 'Say "12345678"\nto nobody' };

let gateway: TextGateway;
let outgoing: Outgoing;
beforeEach(async () => {
  gateway = await startTextGateway();
  outgoing = new Outgoing({ allowPrivate: false, connectMs: 5_000 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await outgoing.onModuleDestroy();
  await gateway.close();
});

function texter(settings: Readonly<Record<string, string>>): Texter {
  const config = loadConfig(settings);
  return new Texter(config, outgoing, new RateLimits(config, { elapsed: () => 0 } as never));
}

describe('a message to a phone', () => {
  it('is posted to the gateway of the operator, in the form that they wrote down', async () => {
    const plain = texter({ ANNALS_TEXT_MESSAGES: gateway.url, ANNALS_TEXT_MESSAGES_AUTHORIZATION: 'Basic c2VjcmV0' });
    expect(plain.isConfigured).toBe(true);
    await plain.send(MESSAGE);
    const told = { to: `+${NUMBER}`, text: MESSAGE.text, authorization: 'Basic c2VjcmV0' };
    expect(gateway.received).toEqual([told]);
    const body = '{"messages": [{"to": "{digits}"}], "to": "tel:{number}", "text": "<{text}>", "flash": false}';
    await texter({ ANNALS_TEXT_MESSAGES: gateway.url, ANNALS_TEXT_MESSAGES_BODY: body }).send(MESSAGE);
    expect(gateway.received[1]).toMatchObject({ to: `tel:+${NUMBER}`, text: `<${MESSAGE.text}>` });
    expect(plain.numbers).toEqual({ sent: 1, failed: 0, waiting: 0 });
  });

  it.each([302, 400, 401, 422, 429, 500])(
    'is not sent where the gateway answers %i, and nobody is told the number',
    async (status) => {
      gateway.status = status;
      const one = texter({ ANNALS_TEXT_MESSAGES: gateway.url });
      const failure: unknown = await one.send(MESSAGE).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(TextFailure);
      expect((failure as TextFailure).message).toContain(String(status));
      expect((failure as TextFailure).isTransient).toBe(status !== 400 && status !== 422);
      const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
      one.post(MESSAGE);
      await expect.poll(() => logged).toHaveBeenCalled();
      expect(JSON.stringify(logged.mock.calls)).not.toContain(NUMBER);
      expect(one.numbers).toEqual({ sent: 0, failed: 2, waiting: 0 });
    },
  );

  it('goes into the log where that is chosen, which says what it is', async () => {
    const logged = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    await texter({ ANNALS_TEXT_MESSAGES: 'log' }).send(MESSAGE);
    expect(logged).toHaveBeenCalledWith({ number: `+${NUMBER}`, text: MESSAGE.text }, FOR_DEVELOPMENT);
  });

  it('is not sent where nobody chose how', () => {
    expect(texter({}).isConfigured).toBe(false);
  });

  it('goes to one number a few times, and only so many go by the server', () => {
    const one = texter({
      ANNALS_TEXT_MESSAGES: 'log',
      ANNALS_RATE_LIMIT_FIGURES: 'text=2:0.001,all-texts=3:0.001',
    });
    one.checkRoom(NUMBER);
    one.checkRoom(NUMBER);
    const refused = expect.objectContaining({ errcode: 'M_LIMIT_EXCEEDED' }) as Error;
    expect(() => one.checkRoom(NUMBER)).toThrow(refused);
    one.checkRoom('436641234567');
    expect(() => one.checkRoom('41791234567')).toThrow(refused);
  });

  it('goes to the countries that the operator names', async () => {
    const [german, austrian] = [
      (await phoneReader('DE'))('0151 12345678')!,
      (await phoneReader('AT'))('0664 1234567')!,
    ];
    const some = texter({ ANNALS_TEXT_MESSAGES: 'log', ANNALS_TEXT_MESSAGES_COUNTRIES: 'de, CH' });
    expect([some.reaches(german), some.reaches(austrian)]).toEqual([true, false]);
    expect(texter({ ANNALS_TEXT_MESSAGES: 'log' }).reaches(austrian)).toBe(true);
  });
});

describe('a phone number', () => {
  it.each([
    ['GB', '07700 900001', '447700900001', 'GB'],
    ['gb', '+49 (151) 123-45678', '4915112345678', 'DE'],
    ['DE', '0043 664 1234567', '436641234567', 'AT'],
  ])('is read as it is dialled in %s: %s', async (country, text, digits, of) => {
    expect((await phoneReader(country))(text)).toEqual({ digits, country: of });
  });

  it.each(['', 'hello', '12', `+49${'1'.repeat(80)}`, '99999999999999999999'])('is none: %j', async (text) => {
    expect((await phoneReader('DE'))(text)).toBeUndefined();
  });

  it('is of a country that there is', async () => {
    await expect(phoneReader('ZZ')).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' });
  });
});
