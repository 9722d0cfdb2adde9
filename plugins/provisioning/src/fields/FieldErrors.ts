/** Where a form field's validation puts what it found. */
export interface FieldErrors {
  addError(message: string): void;
}
