module.exports = require("typescript")
