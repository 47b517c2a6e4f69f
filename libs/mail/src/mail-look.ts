import { escapeHtml } from '#kernel/escape-html';
import type { Mail } from './mailer.js';

/** What a mail says. */
export interface MailText {
  readonly subject: string;
  /** Paragraphs, as plain text. */
  readonly says: readonly string[];
  /** What is to be typed somewhere, by itself and large. */
  readonly code?: string;
  /** Where to go on. */
  readonly link?: MailLink;
  readonly sections?: readonly MailSection[];
  /** Paragraphs behind that, as plain text. */
  readonly ends?: readonly string[];
  /** Where else one may go, in small letters at the end. */
  readonly endLink?: MailLink;
}

export interface MailLink {
  readonly label: string;
  readonly url: string;
}

/** A part of a mail with a title. Each text may have line ends. */
export interface MailSection {
  readonly title: string;
  /** What somebody says, and when, one thing after another. */
  readonly quotes: readonly { readonly who: string; readonly when: string; readonly says: string }[];
  /** What is to be said of it besides. */
  readonly notes: readonly string[];
  readonly link: MailLink;
}

const BODY =
  'font-family:system-ui,sans-serif;line-height:1.5;color:#1b1d22;max-width:32rem;margin:2rem auto;padding:0 1rem';
const SECTION = 'border-top:1px solid #d5d7dc;margin:1.25rem 0 0;padding:.25rem 0 0';
const QUOTE = 'margin:.6rem 0;overflow-wrap:anywhere';
const FAINT = 'color:#5f6570;font-size:.85rem';
const CODE = 'font-family:ui-monospace,monospace;font-size:1.75rem;letter-spacing:.15em;margin:1.25rem 0';
const BUTTON =
  'display:inline-block;background:#0b57d0;color:#fff;padding:.6rem 1.2rem;border-radius:.4rem;text-decoration:none';

/** The one look of the mails of this server: the same in plain text and in HTML, which loads nothing from anywhere. */
export function composeMail(to: string, mail: MailText): Mail {
  const { subject, says, code, link, sections = [], ends = [], endLink } = mail;
  const paragraph = (text: string): string => `<p>${escapeHtml(text)}</p>`;
  const html = [
    ...says.map(paragraph),
    ...(code === undefined ? [] : [`<p style="${CODE}">${escapeHtml(code)}</p>`]),
    ...(link === undefined
      ? []
      : [
          `<p><a style="${BUTTON}" href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a></p>`,
          `<p style="font-size:.85rem;word-break:break-all">${escapeHtml(link.url)}</p>`,
        ]),
    ...sections.map(sectionHtml),
    ...ends.map(paragraph),
    ...(endLink === undefined
      ? []
      : [`<p style="${FAINT}"><a href="${escapeHtml(endLink.url)}">${escapeHtml(endLink.label)}</a></p>`]),
  ];
  const text = [
    ...says,
    ...(code === undefined ? [] : [code]),
    ...(link === undefined ? [] : [linkText(link)]),
    ...sections.map(sectionText),
    ...ends,
    ...(endLink === undefined ? [] : [linkText(endLink)]),
  ];
  const title = escapeHtml(subject);
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

function sectionHtml({ title, quotes, notes, link }: MailSection): string {
  const lines = (text: string): string => escapeHtml(text).replace(/\n/g, '<br>');
  const quote = ({ who, when, says }: MailSection['quotes'][number]): string =>
    `<p style="${QUOTE}"><b>${escapeHtml(who)}</b> <span style="${FAINT}">${escapeHtml(when)}</span><br>${lines(says)}</p>`;
  return [
    `<div style="${SECTION}"><h2 style="font-size:1.05rem;margin:.5rem 0">${escapeHtml(title)}</h2>`,
    ...quotes.map(quote),
    ...notes.map((note) => `<p>${lines(note)}</p>`),
    `<p><a href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a></p></div>`,
  ].join('\n');
}

function sectionText({ title, quotes, notes, link }: MailSection): string {
  const quote = ({ who, when, says }: MailSection['quotes'][number]): string =>
    `${[who, when].filter(Boolean).join(', ')}:\n${says.replace(/^/gm, '  ')}`;
  return [`--- ${title} ---`, ...quotes.map(quote), ...notes, linkText(link)].join('\n\n');
}

const linkText = ({ label, url }: MailLink): string => `${label}:\n${url}`;
