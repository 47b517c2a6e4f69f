import type { Mail } from './mailer.js';

/** What a mail says. */
export interface MailText {
  readonly subject: string;
  /** Paragraphs, as plain text. */
  readonly says: readonly string[];
  /** What is to be typed somewhere, by itself and large. */
  readonly code?: string;
  /** Where to go on. */
  readonly link?: { readonly label: string; readonly url: string };
  /** Paragraphs behind that, as plain text. */
  readonly ends?: readonly string[];
}

const BODY =
  'font-family:system-ui,sans-serif;line-height:1.5;color:#1b1d22;max-width:32rem;margin:2rem auto;padding:0 1rem';
const CODE = 'font-family:ui-monospace,monospace;font-size:1.75rem;letter-spacing:.15em;margin:1.25rem 0';
const BUTTON =
  'display:inline-block;background:#0b57d0;color:#fff;padding:.6rem 1.2rem;border-radius:.4rem;text-decoration:none';

/** The one look of the mails of this server: the same in plain text and in HTML, which loads nothing from anywhere. */
export function composeMail(to: string, { subject, says, code, link, ends = [] }: MailText): Mail {
  const paragraph = (text: string): string => `<p>${escape(text)}</p>`;
  const html = [
    ...says.map(paragraph),
    ...(code === undefined ? [] : [`<p style="${CODE}">${escape(code)}</p>`]),
    ...(link === undefined
      ? []
      : [
          `<p><a style="${BUTTON}" href="${escape(link.url)}">${escape(link.label)}</a></p>`,
          `<p style="font-size:.85rem;word-break:break-all">${escape(link.url)}</p>`,
        ]),
    ...ends.map(paragraph),
  ];
  const text = [
    ...says,
    ...(code === undefined ? [] : [code]),
    ...(link === undefined ? [] : [`${link.label}:\n${link.url}`]),
    ...ends,
  ];
  const title = escape(subject);
  return {
    to,
    subject,
    text: `${text.join('\n\n')}\n`,
    html: `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>
<body style="${BODY}"><h1 style="font-size:1.25rem">${title}</h1>
${html.join('\n')}
</body></html>
`,
  };
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
