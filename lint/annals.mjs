// Rules of this house that the linter does not know.

import { importsGoDownwards, noBarrel } from './imports-go-downwards.mjs';

/** What a room version is called where it is held in a variable or a property. */
const NAMES = /^((room_?)?version_?id|room_?version|room_version_id)$/i;
const COMPARISONS = new Set(['==', '===', '!=', '!==', '<', '<=', '>', '>=']);

function nameOf(node) {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression') {
    const property = node.computed ? node.property.value : node.property.name;
    // `roomVersion.id`, `version.id`
    return property === 'id' && /version$/i.test(nameOf(node.object)) ? 'roomVersion' : String(property);
  }
  return '';
}

/** What is about a version still when it is asked of one. */
const CONVERSIONS = new Set(['Number', 'BigInt', 'String', 'parseInt', 'parseFloat']);

function isVersion(node) {
  if (node.type === 'UnaryExpression') return isVersion(node.argument);
  const isConverted = node.type === 'CallExpression' && CONVERSIONS.has(lastName(node.callee)) && node.arguments[0];
  return isConverted ? isVersion(node.arguments[0]) : NAMES.test(nameOf(node));
}

const isNumber = (node) => node.type === 'Literal' && /^\d+$/.test(String(node.value));

/** What asks whether a version is among some. */
const LISTS = new Set(['includes', 'indexOf', 'has']);

/** What differs by room version is data in the table of room versions: nothing else asks which version it is. */
const noRoomVersionComparison = {
  create(context) {
    const report = (node) =>
      context.report({ node, message: 'Room versions are not compared: ask the table of room versions for the flag.' });
    return {
      BinaryExpression(node) {
        if (!COMPARISONS.has(node.operator)) return;
        const { left, right } = node;
        if ((isVersion(left) && isNumber(right)) || (isNumber(left) && isVersion(right))) report(node);
      },
      SwitchStatement(node) {
        if (isVersion(node.discriminant) && node.cases.some(({ test }) => test !== null && isNumber(test)))
          report(node);
      },
      CallExpression({ callee, arguments: [argument] }) {
        if (callee.type !== 'MemberExpression' || argument === undefined || !isVersion(argument)) return;
        if (LISTS.has(callee.property.name)) report(callee);
      },
    };
  },
};

/** What a position is called where it is held in a variable or a property. */
const POSITION = /^(position|head|after|up_?to)$|position$/i;
/** What takes a text apart. */
const CUTS = new Set(['slice', 'substring', 'substr', 'split', 'charAt', 'charCodeAt', 'match', 'replace']);
const isPosition = (node) => POSITION.test(lastName(node));

function lastName(node) {
  if (node.type === 'Identifier') return node.name;
  if (node.type === 'MemberExpression' && !node.computed) return node.property.name;
  return '';
}

/** Positions are compared and nothing else: only the log's adapters know what lies between two of them. */
const noPositionArithmetic = {
  create(context) {
    const report = (node) =>
      context.report({ node, message: 'Positions are no numbers: ask the log (`distance`), or name a `Place`.' });
    return {
      CallExpression(node) {
        const { callee, arguments: given } = node;
        if (
          callee.name !== 'String' &&
          CONVERSIONS.has(lastName(callee)) &&
          given[0] !== undefined &&
          isPosition(given[0])
        )
          report(node);
        if (callee.type === 'MemberExpression' && CUTS.has(lastName(callee)) && isPosition(callee.object)) report(node);
      },
      UnaryExpression(node) {
        if ('+-~'.includes(node.operator) && isPosition(node.argument)) report(node);
      },
      BinaryExpression(node) {
        const { operator, left, right } = node;
        if (operator === '+' && !isNumber(left) && !isNumber(right)) return;
        if ('+-*/%'.includes(operator) && (isPosition(left) || isPosition(right))) report(node);
      },
      ImportExpression(node) {
        if (/counted-position|commit-position/.test(node.source.value ?? '')) report(node);
      },
      ImportDeclaration(node) {
        if (/counted-position|commit-position/.test(node.source.value)) report(node);
      },
    };
  },
};

export default {
  meta: { name: 'annals' },
  rules: {
    'imports-go-downwards': importsGoDownwards,
    'no-barrel': noBarrel,
    'no-room-version-comparison': noRoomVersionComparison,
    'no-position-arithmetic': noPositionArithmetic,
  },
};
