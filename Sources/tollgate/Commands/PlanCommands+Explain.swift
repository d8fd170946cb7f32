import ArgumentParser
import Billing
import Identity
import Metering
import Monetary
import PlanLanguage
import Pricing

extension PlansCommand {
    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How an amount came about, from counts and prices.",
            discussion: "RECORD is a request's id (req_…), LINE that of an invoice's line of usage (il_…).")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "A request, or a line of an invoice.") var subject: String

        func validate() throws {
            guard RequestID(subject) != nil || InvoiceLineID(subject) != nil else {
                throw ValidationError("'\(subject)' is neither a request (req_…) nor a line of an invoice (il_…)")
            }
        }

        func run() async throws {
            let subject = subject
            let explanations = try await options.look { session in
                if let request = RequestID(subject) { return try session.explain(request) }
                return try InvoiceLineID(subject).map { [try session.explain($0)] } ?? []
            }
            guard !output.json else {
                return output.print(
                    columns: ["subject", "price", "meter", "quantity", "per million", "how", "amount"],
                    rows: explanations.flatMap { explanation in
                        explanation.steps.map { [explanation.subject] + Self.row($0) }
                    })
            }
            if explanations.isEmpty { print("nothing of it has an amount: it was not delivered, or waits in suspense") }
            for explanation in explanations {
                let terms = [explanation.model, explanation.tier] + explanation.conditions
                print("\(explanation.subject): \(terms.joined(separator: ", "))")
                print("by \(explanation.plan) version \(explanation.planVersion)")
                for step in explanation.steps {
                    let how = step.explanation.map { $0.factors.isEmpty ? "" : " [\($0.text)]" } ?? ""
                    let product = "\(step.quantity) \(step.meter.label) × \(step.price.unitPrice)\(how) ÷ 1000000"
                    print("  \(product) = \(step.amount)")
                }
                print("  = \(explanation.exact) \(explanation.exact.currency.code), \(explanation.outcome)")
            }
        }

        private static func row(_ step: AmountExplanation.Step) -> [String] {
            [
                step.price.id, step.meter.rawValue, "\(step.quantity)", "\(step.price.unitPrice)",
                step.explanation?.text ?? "", "\(step.amount)",
            ]
        }
    }

    struct Format: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fmt", abstract: "Print a plan file in canonical form; comments stay in your file.",
            discussion:
                "The form in which a version is stored, compared and hashed. With --check nothing is printed, and "
                + "the exit code is 1 where a file, without its comments and empty lines, is not in this form.")

        @Flag(help: "Only say which files are not in canonical form.") var check = false
        @Argument(help: "Plan files.") var files: [String]

        func run() async throws {
            var differing = 0
            for path in files {
                let text = try readText(path)
                let canonical = try PlansCommand.version(inFile: path).document.canonicalText
                guard check else {
                    print(canonical, terminator: "")
                    continue
                }
                let plain = text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("#") }
                if plain.joined(separator: "\n") + "\n" != canonical {
                    say("\(path): not in canonical form")
                    differing += 1
                }
            }
            if differing > 0 { throw ExitCode.failure }
        }
    }

    struct SchemaCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "schema", abstract: "Print the JSON Schema of plan files (draft 2020-12).")

        func run() async throws { print(PlanSchema.json, terminator: "") }
    }
}
