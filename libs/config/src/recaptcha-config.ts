import type { Settings } from './settings.js';

/** The captcha that who registers solves. */
export interface RecaptchaConfig {
  readonly siteKey: string;
  readonly secret: string;
  readonly verifyUrl: string;
  /** The script of the widget, for pages. */
  readonly scriptUrl: string;
}

const DEFAULT_SCRIPT_URL = 'https://www.google.com/recaptcha/api.js';
const DEFAULT_VERIFY_URL = 'https://www.google.com/recaptcha/api/siteverify';

/** All of it checked by the validator. */
export function recaptchaOf(settings: Settings): RecaptchaConfig | undefined {
  const { recaptcha_site_key: siteKey, recaptcha_secret: secret, recaptcha_verify_url: verifyUrl } = settings;
  const scriptUrl = settings.recaptcha_script_url ?? DEFAULT_SCRIPT_URL;
  if (siteKey === undefined || secret === undefined) return undefined;
  return Object.freeze({ siteKey, secret, verifyUrl: verifyUrl ?? DEFAULT_VERIFY_URL, scriptUrl });
}
