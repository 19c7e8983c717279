// the same line again and again
// the same line again and again
// the same line again and again
// the same line again and again
// the same line again and again
// the same line again and again
// the same line again and again
// the same line again and again
