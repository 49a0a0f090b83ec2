import fastJson from 'fast-json-stringify';
import type { FastifySerializerCompiler } from 'fastify';
import type { TSchema } from 'typebox';

/**
 * Makes the serializer compiler of our Fastify context, so that a host's own (for another schema language) is not
 * asked. An answer holds what its schema names and nothing else.
 */
export function createSerializerCompiler(): FastifySerializerCompiler<TSchema> {
  const serializers = new WeakMap<TSchema, (data: unknown) => string>();
  return ({ schema }) => {
    let serialize = serializers.get(schema);
    if (serialize === undefined) {
      serialize = fastJson(schema as fastJson.Schema);
      serializers.set(schema, serialize);
    }
    return serialize;
  };
}
