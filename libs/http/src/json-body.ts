import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { IsArray, ValidateNested, validateSync, type ValidationError } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { isJsonObject, JsonNumber, type JsonObject, type JsonValue } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { parseJsonObject } from './json-text.js';

type ClassConstructor<T extends object> = new () => T;

export interface JsonBodyOptions {
  /** Whether no body at all counts as `{}`. */
  readonly allowEmpty?: boolean;
  /** Whether numbers keep their spelling, as an event's content needs: see `parseJsonObject`. */
  readonly exactNumbers?: boolean;
}

interface JsonBodyRules extends JsonBodyOptions {
  readonly dto?: ClassConstructor<object>;
}

/**
 * The body of the request, whatever its content type: a `JsonObject`, or an instance of the class given, checked by its
 * class-validator decorators (unknown keys are dropped). Throws M_NOT_JSON, M_BAD_JSON (of the wrong form; names the key) or
 * M_MISSING_PARAM (names the key).
 */
export function JsonBody(dto?: ClassConstructor<object>, options: JsonBodyOptions = {}): ParameterDecorator {
  return BodyParameter({ dto, ...options });
}

const LIST_OF = Symbol.for('annals.ListOf');

/** For a key of a class that `JsonBody` checks: a list of instances of another such class. */
export function ListOf(item: ClassConstructor<object>): PropertyDecorator {
  return applyDecorators(IsArray(), ValidateNested({ each: true }), (target: object, key?: string | symbol) =>
    Reflect.defineMetadata(LIST_OF, item, target, key!),
  ) as PropertyDecorator;
}

/** The body of the request as the content of an event: a `JsonObject` whose numbers keep their spelling. Throws as `JsonBody`. */
export function EventContent(options: Pick<JsonBodyOptions, 'allowEmpty'> = {}): ParameterDecorator {
  return BodyParameter({ ...options, exactNumbers: true });
}

const BodyParameter = createParamDecorator((rules: JsonBodyRules, context: ExecutionContext): object => {
  const body = readJsonBody(context.switchToHttp().getRequest<FastifyRequest>(), rules);
  return rules.dto === undefined ? body : checkDto(rules.dto, body);
});

/** The body of a request as a JSON object; see `JsonBody`. */
export function readJsonBody(request: FastifyRequest, options: JsonBodyOptions = {}): JsonObject {
  const { body } = request;
  if (!Buffer.isBuffer(body) || body.length === 0) {
    if (options.allowEmpty === true) return {};
    throw new MatrixError('M_NOT_JSON', 'A JSON body is required');
  }
  return parseJsonObject(body, options.exactNumbers);
}

/** As `readJsonBody`, and lets go of the body: for requests that wait. PERF: thousands may. */
export function takeJsonBody(request: FastifyRequest, options: JsonBodyOptions = {}): JsonObject {
  const body = readJsonBody(request, options);
  request.body = undefined;
  return body;
}

/** The value of a body that is `true` or `false` and nothing else; undefined where it is anything else. */
export function readBareBoolean({ body }: FastifyRequest): boolean | undefined {
  const text = Buffer.isBuffer(body) && body.length < 32 ? body.toString().trim() : '';
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

/**
 * Makes a checked instance of a class from parsed JSON. An optional key that is null counts as absent: many clients write
 * what they do not have that way. JSON within, such as the content of an event, is that of the body, untouched. Throws
 * M_BAD_JSON or M_MISSING_PARAM, naming the key.
 */
export function checkDto<T extends object>(dto: ClassConstructor<T>, body: JsonObject): T {
  const instance = makeInstance(dto, body);
  const [wrong] = validateSync(instance, { whitelist: true, forbidUnknownValues: false, stopAtFirstError: true });
  if (wrong === undefined) return withoutNulls(instance);
  const { path, error } = innermost(wrong);
  if (error.value === undefined) throw new MatrixError('M_MISSING_PARAM', `${path}: required`);
  throw new MatrixError('M_BAD_JSON', `${path}: ${reasonOf(error)}`);
}

/**
 * PERF: class-transformer would copy all JSON within, and takes a key `constructor` for a class.
 */
function makeInstance<T extends object>(dto: ClassConstructor<T>, body: JsonObject): T {
  const instance = new dto();
  const values = instance as Record<string, unknown>;
  for (const key of Object.keys(body)) {
    if (NOT_COPIED.has(key)) continue;
    const value = body[key];
    const item = Reflect.getMetadata(LIST_OF, dto.prototype as object, key) as ClassConstructor<object> | undefined;
    if (item !== undefined && Array.isArray(value)) {
      values[key] = value.map((one: JsonValue) => (isJsonObject(one) ? makeInstance(item, one) : one));
    } else {
      // Of the instance itself a number is only a number, however it was spelled.
      values[key] = value instanceof JsonNumber ? Number(value) : value;
    }
  }
  return instance;
}

/** By its constructor a validator knows the rules of an instance. */
const NOT_COPIED: ReadonlySet<string> = new Set(['constructor', '__proto__']);

function withoutNulls<T extends object>(instance: T): T {
  for (const key of Object.keys(instance) as (keyof T)[]) if (instance[key] === null) delete instance[key];
  return instance;
}

function innermost(outer: ValidationError): { path: string; error: ValidationError } {
  let path = outer.property;
  let error = outer;
  while (error.constraints === undefined && error.children?.[0] !== undefined) {
    error = error.children[0];
    path += `.${error.property}`;
  }
  return { path, error };
}

function reasonOf(error: ValidationError): string {
  const text = Object.values(error.constraints ?? {})[0] ?? 'is not of the expected form';
  return text.startsWith(`${error.property} `) ? text.slice(error.property.length + 1) : text;
}
