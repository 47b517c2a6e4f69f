import { escapeHtml } from '#kernel/escape-html';
import { type ExportFile, fileOfText } from '../files/export-file.js';
import { exportPage, linkTo } from './export-page.js';

/** A page has little more than so many letters: browsers take their time for longer ones. */
const PAGE_LETTERS = 500_000;

/** What the pages of one list have in common. */
export interface ListHead {
  /** The path of the first of them, without `.html`: the others have a number besides. */
  readonly path: string;
  readonly title: string;
  readonly about: string;
}

/** The items of a list on pages of a bounded size, each of which leads to those beside it. */
export class ListPages {
  readonly written: string[] = [];
  #items: string[] = [];
  #letters = 0;

  constructor(private readonly head: ListHead) {}

  /** Takes an item, and answers the page that is full without it: only then is it known that another one follows. */
  take(item: string): ExportFile | undefined {
    const full = this.#letters >= PAGE_LETTERS ? this.#page(true) : undefined;
    this.#items.push(item);
    this.#letters += item.length;
    return full;
  }

  /** What is left, where there is anything. */
  end(): ExportFile | undefined {
    return this.#items.length === 0 ? undefined : this.#page(false);
  }

  #page(isFollowed: boolean): ExportFile {
    const { title, about } = this.head;
    const number = this.written.length + 1;
    const links = [linkTo('../index.html', 'All of the export')];
    if (number > 1) links.push(linkTo(this.#name(number - 1), 'The page before'));
    if (isFollowed) links.push(linkTo(this.#name(number + 1), 'The next page'));
    const navigation = `<nav aria-label="Pages">${links.join('')}</nav>`;
    const list = `<ol class="records">\n${this.#items.join('\n')}\n</ol>`;
    const body = `<p>${escapeHtml(about)}</p>\n${navigation}\n${list}\n${number > 1 || isFollowed ? navigation : ''}`;
    const path = this.#path(number);
    this.written.push(path);
    this.#items = [];
    this.#letters = 0;
    return fileOfText(path, exportPage(number === 1 ? title : `${title}, page ${number}`, body));
  }

  #path(number: number): string {
    return `${this.head.path}${number === 1 ? '' : `-${number}`}.html`;
  }

  /** As a page of the same list names it. */
  #name(number: number): string {
    return this.#path(number).split('/').at(-1)!;
  }
}
