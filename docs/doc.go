// Package docs checks that what the documents say is true: the README's code
// compiles, and packages import each other only in the directions that
// CONTRIBUTING.md allows.
package docs
