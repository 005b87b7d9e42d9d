/**
 * The small language of `expect`: comparisons of statistics, judged when a run has ended.
 *
 *   expr    := and { "or" and }
 *   and     := not { "and" not }
 *   not     := "not" not | compare
 *   compare := sum [ (< <= == != >= >) sum | "within" N% "of" sum ]
 *   sum     := term { (+ -) term }
 *   term    := factor { (* /) factor }
 *   factor  := NUMBER [unit] | NAME | "-" factor | "(" expr ")"
 *
 * A NAME is a statistic or counter, with `actor.` before and `.p50 .p90 .p99 .p999 .mean .min .max
 * .count` after it. Left out: functions, strings, comparison chains (`1 < x < 2` is two comparisons
 * and `and`).
 */

import { type Token, tokens } from './tokens.js';

export const measures = ['p50', 'p90', 'p99', 'p999', 'mean', 'min', 'max', 'count'] as const;
export type Measure = (typeof measures)[number];
const comparisons = ['<', '<=', '==', '!=', '>=', '>'] as const;
type Comparison = (typeof comparisons)[number];

/** A parsed expression: plain data. */
export type Expression =
  | { readonly type: 'number'; readonly value: number }
  | { readonly type: 'name'; readonly name: string; readonly measure: Measure | null }
  | { readonly type: 'negate'; readonly of: Expression }
  | Pair<keyof typeof arithmetic>
  | Pair<Comparison>
  | (Pair<'within'> & { readonly part: number })
  | Pair<'and' | 'or'>
  | { readonly type: 'not'; readonly of: Expression };

interface Pair<Type extends string> {
  readonly type: Type;
  readonly left: Expression;
  readonly right: Expression;
}

/**
 * Value of a statistic; undefined if the run has none of that name. `measure` null: mean, or the
 * count.
 */
export type Lookup = (name: string, measure: Measure | null) => number | undefined;

/** What cannot be parsed, with the offset into the text at which it was noticed. */
export class ExpressionError extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.name = 'ExpressionError';
    this.offset = offset;
  }
}

const arithmetic = {
  '+': (a: number, b: number) => a + b,
  '-': (a: number, b: number) => a - b,
  '*': (a: number, b: number) => a * b,
  '/': (a: number, b: number) => a / b,
};
/** A number that is missing makes every comparison with it false, `!=` too. */
const comparing: Readonly<Record<Comparison, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a < b || a > b,
  '>=': (a, b) => a >= b,
  '>': (a, b) => a > b,
};

const booleans: ReadonlySet<string> = new Set([...comparisons, 'within', 'and', 'or', 'not']);

/** Throws ExpressionError; an expression that is no yes-or-no question is one. */
export function parseExpression(text: string): Expression {
  const parser = new Parser(text);
  const expression = parser.or();
  parser.end();
  requireKind(expression, 'a comparison', 0);
  return expression;
}

/** What an expression is: a yes-or-no question, or not. */
type Kind = 'a comparison' | 'a number';

/** Parentheses, `not` and signs inside each other: recursion has to end somewhere. */
const depthMax = 100;

/** Recursive descent, one method per line of the grammar. */
class Parser {
  private readonly list: readonly Token[];
  private at = 0;
  private depth = 0;

  constructor(text: string) {
    this.list = tokens(text, (offset, message) => {
      throw new ExpressionError(offset, message);
    });
  }

  or(): Expression {
    return this.chain(['or'], () => this.and(), 'a comparison');
  }

  end(): void {
    if (this.token.type !== 'end') this.fail('the end, an operator or a comparison');
  }

  private and(): Expression {
    return this.chain(['and'], () => this.not(), 'a comparison');
  }

  private not(): Expression {
    if (!this.take('not')) return this.compare();
    return { type: 'not', of: this.deeper(() => this.typed(() => this.not(), 'a comparison')) };
  }

  private compare(): Expression {
    const start = this.token.offset;
    const left = this.sum();
    const op = this.token.text;
    if (this.take('within')) {
      requireKind(left, 'a number', start);
      const percent = this.token;
      if (percent.type !== 'number' || percent.unit !== '%') this.fail('a percentage such as 5%');
      this.at++;
      if (!this.take('of')) this.fail('of');
      const right = this.typed(() => this.sum(), 'a number');
      return { type: 'within', left, right, part: percent.value };
    }
    if (!isComparison(op) || this.token.type !== 'symbol') return left;
    this.at++;
    requireKind(left, 'a number', start);
    const right = this.typed(() => this.sum(), 'a number');
    if (isComparison(this.token.text)) this.fail('and, or, or the end: comparisons do not chain');
    return { type: op, left, right };
  }

  private sum(): Expression {
    return this.chain(['+', '-'], () => this.term(), 'a number');
  }

  private term(): Expression {
    return this.chain(['*', '/'], () => this.factor(), 'a number');
  }

  private factor(): Expression {
    const token = this.token;
    if (this.take('(')) {
      const inside = this.deeper(() => this.or());
      if (!this.take(')')) this.fail(')');
      return inside;
    }
    if (this.take('-')) {
      const operand = () => this.typed(() => this.factor(), 'a number');
      return { type: 'negate', of: this.deeper(operand) };
    }
    if (token.type !== 'number' && token.type !== 'name') this.fail('a statistic or a number');
    this.at++;
    if (token.type === 'number') return { type: 'number', value: token.value };
    return named(token.text);
  }

  private chain(
    operators: readonly ('or' | 'and' | keyof typeof arithmetic)[],
    operand: () => Expression,
    wanted: Kind,
  ): Expression {
    const start = this.token.offset;
    let left = operand();
    for (;;) {
      const operator = operators.find((text) => this.take(text));
      if (operator === undefined) return left;
      requireKind(left, wanted, start);
      left = { type: operator, left, right: this.typed(operand, wanted) };
    }
  }

  private typed(operand: () => Expression, wanted: Kind): Expression {
    const offset = this.token.offset;
    const expression = operand();
    requireKind(expression, wanted, offset);
    return expression;
  }

  private deeper(operand: () => Expression): Expression {
    if (++this.depth > depthMax) this.fail(`at most ${depthMax} levels`);
    const expression = operand();
    this.depth--;
    return expression;
  }

  private get token(): Token {
    return this.list[this.at];
  }

  private take(text: string): boolean {
    const { type } = this.token;
    if (this.token.text !== text || (type !== 'symbol' && type !== 'word')) return false;
    this.at++;
    return true;
  }

  private fail(expected: string): never {
    const { type, text, offset } = this.token;
    throw new ExpressionError(offset, `${type === 'end' ? 'the end' : text}, expected ${expected}`);
  }
}

function requireKind(expression: Expression, wanted: Kind, offset: number): void {
  const found: Kind = booleans.has(expression.type) ? 'a comparison' : 'a number';
  if (found !== wanted) throw new ExpressionError(offset, `${found}, expected ${wanted}`);
}

function isComparison(text: string): text is Comparison {
  return (comparisons as readonly string[]).includes(text);
}

function named(text: string): Expression {
  const dot = text.lastIndexOf('.');
  const measure = measures.find((name) => name === text.slice(dot + 1));
  if (dot < 0 || measure === undefined) return { type: 'name', name: text, measure: null };
  return { type: 'name', name: text.slice(0, dot), measure };
}

/** Every statistic an expression asks for. */
export function namesIn(expression: Expression): { name: string; measure: Measure | null }[] {
  if (expression.type === 'name') return [expression];
  if (expression.type === 'number') return [];
  if ('of' in expression) return namesIn(expression.of);
  return [...namesIn(expression.left), ...namesIn(expression.right)];
}

/**
 * `value`: what stood on the left of the comparison that decided, null if the run has no such
 * number.
 */
export interface Judgement {
  readonly ok: boolean;
  readonly value: number | null;
}

/** Judges an expression; a statistic that is missing makes every comparison with it false. */
export function judge(expression: Expression, lookup: Lookup): Judgement {
  switch (expression.type) {
    case 'not': {
      const { ok, value } = judge(expression.of, lookup);
      return { ok: !ok, value };
    }
    case 'and':
    case 'or': {
      const left = judge(expression.left, lookup);
      // The side that decides is the one whose value is worth showing.
      return left.ok === (expression.type === 'or') ? left : judge(expression.right, lookup);
    }
    case 'number':
    case 'name':
    case 'negate':
    case '+':
    case '-':
    case '*':
    case '/':
      throw new Error(`${expression.type}: expected a comparison to judge`);
    default: {
      const left = evaluate(expression.left, lookup);
      const right = evaluate(expression.right, lookup);
      const ok =
        expression.type === 'within'
          ? Math.abs(left - right) <= Math.abs(right) * expression.part
          : comparing[expression.type](left, right);
      return { ok, value: Number.isFinite(left) ? left : null };
    }
  }
}

/** The number an arithmetic expression stands for; NaN if a statistic is missing. */
function evaluate(expression: Expression, lookup: Lookup): number {
  switch (expression.type) {
    case 'number':
      return expression.value;
    case 'name':
      return lookup(expression.name, expression.measure) ?? Number.NaN;
    case 'negate':
      return -evaluate(expression.of, lookup);
    case '+':
    case '-':
    case '*':
    case '/': {
      const apply = arithmetic[expression.type];
      return apply(evaluate(expression.left, lookup), evaluate(expression.right, lookup));
    }
    default:
      throw new Error(`${expression.type}: expected an expression that is a number`);
  }
}
