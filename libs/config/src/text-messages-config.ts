import { isWebAddress } from '#kernel/is-web-address';
import type { JsonValue } from '#kernel/json';
import { listOf } from './list-of.js';
import type { Settings } from './settings.js';

/** An HTTP gateway that brings messages to phones. */
export interface TextGateway {
  readonly url: string;
  /** What stands in the header `Authorization`. */
  readonly authorization?: string;
  /** What is posted, with `{number}`, `{digits}` and `{text}` in its strings. */
  readonly body: JsonValue;
}

/** How messages are brought to phones. */
export interface TextMessagesConfig {
  /** undefined: they are written into the log, for development. */
  readonly gateway?: TextGateway;
  /** The countries, by two letters, to whose numbers messages are sent; undefined: all. */
  readonly countries?: readonly string[];
}

/** What a gateway is posted unless told otherwise. */
const BODY = '{"to": "{number}", "text": "{text}"}';
/** Instead of a URL: into the log. */
const LOG = 'log';

export const isTextsTarget = (text: string): boolean => text === LOG || isWebAddress(text);

export const areCountries = (text: string): boolean => text.split(',').every((item) => /^[a-z]{2}$/i.test(item.trim()));

/** Whether it is JSON that says where the number and the text belong. */
export function isTextsBody(text: string): boolean {
  try {
    JSON.parse(text);
  } catch {
    return false;
  }
  return /\{(number|digits)\}/.test(text) && text.includes('{text}');
}

/** All of it checked by the validator. */
export function textMessagesOf(settings: Settings): TextMessagesConfig | undefined {
  const { text_messages: target, text_messages_countries: countries, text_messages_body: body = BODY } = settings;
  if (target === undefined) return undefined;
  const authorization = settings.text_messages_authorization;
  return Object.freeze({
    ...(target === LOG
      ? {}
      : {
          gateway: Object.freeze({
            url: target,
            body: JSON.parse(body) as JsonValue,
            ...(authorization === undefined ? {} : { authorization }),
          }),
        }),
    ...(countries === undefined
      ? {}
      : { countries: Object.freeze(listOf(countries).map((country) => country.toUpperCase())) }),
  });
}
