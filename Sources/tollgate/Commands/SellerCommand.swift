import ArgumentParser
import Billing
import Invoicing

struct SellerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seller", abstract: "Who sends the invoices.", subcommands: [Show.self, Change.self],
        defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the seller.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let seller = try await options.look { try $0.requiredSeller() }
            output.print(fields: [
                ("name", seller.name), ("address", seller.address.joined(separator: ", ")), ("tax id", seller.taxID),
                ("email", seller.email), ("payment terms days", "\(seller.paymentTermsDays)"),
                ("payment instructions", seller.paymentInstructions),
            ])
        }
    }

    struct Change: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Say who the seller is; finalized invoices keep what they show.")

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var reason: ReasonOptions
        @Argument(help: "The legal name.") var name: String
        @Option(help: "A line of the address; repeat for more.") var address: [String] = []
        @Option(help: "Tax id.") var taxID = ""
        @Option(help: "Where customers write to.") var email = ""
        @Option(help: "Days until an invoice is due.") var paymentTermsDays = 14
        @Option(help: "How to pay.") var paymentInstructions = ""

        func run() async throws {
            let seller = Seller(
                name: name, address: address, taxID: taxID, email: email, paymentTermsDays: paymentTermsDays,
                paymentInstructions: paymentInstructions)
            _ = try await options.change(reason) { try $0.setSeller(seller) }
            print("the seller is \(name)")
        }
    }
}
