import { Argument, Condition, Expr } from './ast';
import { attributesOf } from './evaluate';
import { NrqlError, syntaxError } from './parse';

/** Reads the arguments of functions and refuses what they cannot be. */
export class ArgumentReader {
  constructor(protected readonly text: string) {}

  protected aggregateArgument(arg: Argument): Expr {
    if (arg.kind !== 'expr' || arg.label || arg.expr.type !== 'call') {
      throw this.refuse(arg.at);
    }
    return arg.expr;
  }

  /** An argument that is read from each event. */
  protected scalar(arg: Argument): Expr {
    if (arg.kind !== 'expr' || arg.label) throw this.refuse(arg.at);
    this.checkScalar(arg.expr);
    return arg.expr;
  }

  protected labelled(
    arg: Argument,
    labels: string[],
    position = labels[0],
  ): { label: string; value: number } {
    if (arg.kind !== 'expr') throw this.refuse(arg.at);
    const label = arg.label ?? position;
    if (!labels.includes(label)) throw this.refuse(arg.at);
    if (arg.expr.type !== 'number') throw this.refuse(arg.expr.at);
    return { label, value: arg.expr.value };
  }

  protected constant(arg: Argument): number {
    if (arg.kind !== 'expr' || arg.label || arg.expr.type !== 'number') {
      throw this.refuse(arg.at);
    }
    return arg.expr.value;
  }

  protected integer(arg: Argument, least: number, most: number): number {
    const value = this.constant(arg);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw this.refuse(arg.at);
    }
    return value;
  }

  protected argumentCount(
    { args, at }: Expr & { type: 'call' },
    least: number,
    most: number,
  ) {
    if (args.length < least) throw this.refuse(at);
    if (args.length > most) throw this.refuse(args[most].at);
  }

  protected checkScalar(expr: Expr) {
    if (expr.type === 'arithmetic') {
      this.checkScalar(expr.left);
      this.checkScalar(expr.right);
      for (const side of [expr.left, expr.right]) {
        if (side.type === 'string') throw this.refuse(side.at);
      }
    } else if (expr.type === 'call') {
      if (expr.name !== 'numeric') throw this.refuse(expr.at);
      this.argumentCount(expr, 1, 1);
      this.checkScalar(this.scalar(expr.args[0]));
    }
  }

  protected checkCondition(condition: Condition): void {
    switch (condition.type) {
      case 'and':
      case 'or':
        condition.terms.forEach(term => this.checkCondition(term));
        break;
      case 'not':
        this.checkCondition(condition.term);
        break;
      case 'compare':
        this.checkScalar(condition.left);
        this.checkScalar(condition.right);
        if (condition.op !== '=' && condition.op !== '!=') {
          for (const side of [condition.left, condition.right]) {
            if (side.type === 'string') throw this.refuse(side.at);
          }
        }
        if (attributesOf(condition).size === 0) throw this.refuse(condition.at);
        break;
      default:
        this.checkScalar(condition.left);
    }
  }

  protected refuse(at: number): NrqlError {
    return syntaxError(this.text, at);
  }
}
