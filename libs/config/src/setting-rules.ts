import { IsIn, ValidateBy } from 'class-validator';

/** What may be said of one setting: its form in words (for the error line), and whether its value is a secret. */
export function Form(words: string, test: (text: string) => boolean): PropertyDecorator {
  return ValidateBy({
    name: 'form',
    validator: {
      validate: (value: unknown) => typeof value === 'string' && test(value),
      defaultMessage: () => `must be ${words}`,
    },
  });
}

/** That a setting is one of some words. */
export function OneOf(values: readonly string[]): PropertyDecorator {
  return IsIn([...values], { message: `must be one of ${values.join(', ')}` });
}
