import { readFileSync } from 'node:fs';
import { isWebAddress } from '#kernel/is-web-address';
import { messageOf } from '#kernel/message-of';
import { ConfigError } from '../config-error.js';
import { MappingFaults, MappingReader, parseMapping } from '../yaml-mapping.js';

/** A document that people accept, in the languages that there are of it. */
export interface TermsDocument {
  readonly id: string;
  readonly version: string;
  readonly languages: Readonly<Record<string, { readonly name: string; readonly url: string }>>;
}

const ID = /^[a-z][a-z0-9_.-]{0,63}$/;
/** BCP 47, as far as documents are told apart by it; `version` stands beside them. */
const LANGUAGE = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/;

/** Reads the file of the documents that the configuration names; none where it names no file. Throws ConfigError with a line for each fault. */
export function readTerms(path: string | undefined): readonly TermsDocument[] {
  if (path === undefined) return [];
  try {
    return parseTerms(readFileSync(path, 'utf8'));
  } catch (error) {
    const faults = error instanceof MappingFaults ? error.faults : [messageOf(error)];
    throw new ConfigError(...faults.map((fault) => `ANNALS_TERMS: ${path}: ${fault}`));
  }
}

/** The documents in the text of such a file: by each one's id its `version`, and by each language a `name` and a `url`. Throws MappingFaults. */
export function parseTerms(text: string): readonly TermsDocument[] {
  const file = new MappingReader(parseMapping(text));
  const documents = file.keys.map((id): TermsDocument => {
    if (!ID.test(id)) file.fault(id, 'must be a name of a-z, 0-9 and _.-');
    const from = file.within(id);
    const languages: Record<string, { name: string; url: string }> = {};
    const version = from.getText('version', 'a text in quotes ("1.2")');
    for (const language of from.keys.filter((key) => key !== 'version')) {
      if (!LANGUAGE.test(language)) from.fault(language, 'must be a language such as en or pt-BR');
      const of = from.within(language);
      languages[language] = {
        name: of.getText('name', 'what it is called'),
        url: of.getText('url', 'an http or https URL', isWebAddress),
      };
      of.refuseOthers();
    }
    if (Object.keys(languages).length === 0) from.fault('en', 'required: it is in no language');
    return Object.freeze({ id, version, languages: Object.freeze(languages) });
  });
  file.check();
  return Object.freeze(documents);
}
