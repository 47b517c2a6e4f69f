import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type ClassConstructor, plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { parseJsonObject } from './json-text.js';

export interface JsonBodyOptions {
  /** Whether no body at all counts as `{}`. */
  readonly allowEmpty?: boolean;
}

interface JsonBodyRules {
  readonly dto?: ClassConstructor<object>;
  readonly allowEmpty: boolean;
}

/**
 * The body of the request, whatever its content type: a `JsonObject`, or an instance of the class given, checked by its
 * class-validator decorators (unknown keys are dropped). Throws M_NOT_JSON, M_BAD_JSON (of the wrong form; names the key) or
 * M_MISSING_PARAM (names the key).
 */
export function JsonBody(dto?: ClassConstructor<object>, options: JsonBodyOptions = {}): ParameterDecorator {
  return BodyParameter({ dto, allowEmpty: options.allowEmpty ?? false });
}

const BodyParameter = createParamDecorator((rules: JsonBodyRules, context: ExecutionContext): object => {
  const body = readJsonBody(context.switchToHttp().getRequest<FastifyRequest>(), rules.allowEmpty);
  return rules.dto === undefined ? body : checkDto(rules.dto, body);
});

/** The body of a request as a JSON object; see `JsonBody`. */
export function readJsonBody(request: FastifyRequest, allowEmpty = false): JsonObject {
  const { body } = request;
  if (!Buffer.isBuffer(body) || body.length === 0) {
    if (allowEmpty) return {};
    throw new MatrixError('M_NOT_JSON', 'A JSON body is required');
  }
  return parseJsonObject(body);
}

/**
 * Makes a checked instance of a class from parsed JSON. An optional key that is null counts as absent: many clients write
 * what they do not have that way. Throws M_BAD_JSON or M_MISSING_PARAM, naming the key.
 */
export function checkDto<T extends object>(dto: ClassConstructor<T>, body: JsonObject): T {
  const instance = plainToInstance(dto, body);
  const [wrong] = validateSync(instance, { whitelist: true, forbidUnknownValues: false, stopAtFirstError: true });
  if (wrong === undefined) return withoutNulls(instance);
  const { path, error } = innermost(wrong);
  if (error.value === undefined) throw new MatrixError('M_MISSING_PARAM', `${path}: required`);
  throw new MatrixError('M_BAD_JSON', `${path}: ${reasonOf(error)}`);
}

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
